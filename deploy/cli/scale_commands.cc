#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/config/job_changes.h"
#include "common/config/manifest.h"
#include "common/status/status_macros.h"
#include "deploy/cli/cluster_client.h"
#include "deploy/cli/commands.h"
#include "deploy/cli/line_display.h"
#include "deploy/cli/progress.h"

namespace syncline {
namespace {

absl::StatusOr<int> WatchUntilScaled(ClusterClient* client, const ScaleRequest& wanted) {
  LineDisplay display(absl::ZeroDuration());
  while (true) {
    SYNCLINE_ASSIGN_OR_RETURN(const auto status, client->Status());
    const int shards = status.map().shards_size(), workers = LiveWorkers(status);
    const bool over = status.phase() == ClusterStatusReply::FINISHED;
    const auto there = [](bool given, uint32_t want, int have) {
      return !given || want == 0 || have == static_cast<int>(want);
    };
    const bool done = !status.rescale().moving() &&
                      there(wanted.has_shards(), wanted.shards(), shards) &&
                      there(wanted.has_workers(), wanted.workers(), workers);
    display.Show(RescaleLine(status, workers));
    if (done || over) {
      display.End();
      if (done) return 0;
      return absl::FailedPreconditionError(
          absl::StrCat("training ended with ", shards, " shards and ", workers, " workers"));
    }
    absl::SleepFor(absl::Milliseconds(200));
  }
}

absl::StatusOr<int> Scale(ClusterClient* client, const ScaleRequest& request, bool wait) {
  SYNCLINE_RETURN_IF_ERROR(client->Scale(request));
  return wait ? WatchUntilScaled(client, request) : 0;
}

}  // namespace

absl::StatusOr<int> RunScale(const ClusterOptions& options,
                             const std::vector<FieldOverride>& overrides, bool wait) {
  ScaleRequest request;
  for (const FieldOverride& field : overrides) {
    uint32_t count = 0;
    if (field.path != "shards" && field.path != "workers") {
      return absl::InvalidArgumentError(
          absl::StrCat(field.origin, ": scale changes --shards and --workers only"));
    }
    if (!absl::SimpleAtoi(field.text, &count)) {
      return absl::InvalidArgumentError(
          absl::StrCat(field.origin, " is \"", field.text, "\": it must be a number from 0 to 4096"));
    }
    if (field.path == "shards") {
      request.set_shards(count);
    } else {
      request.set_workers(count);
    }
  }
  if (overrides.empty()) {
    return absl::InvalidArgumentError("--shards and --workers are missing: give one or both");
  }
  SYNCLINE_ASSIGN_OR_RETURN(const auto client,
                            ClusterClient::Create(options.coordinator, options.security));
  return Scale(client.get(), request, wait);
}

absl::StatusOr<int> RunApply(const ClusterOptions& options, const std::string& file,
                             const std::vector<FieldOverride>& overrides, bool wait) {
  if (file.empty()) return absl::InvalidArgumentError("-f is missing: name the job's manifest");
  SYNCLINE_ASSIGN_OR_RETURN(JobManifest job, LoadManifest(file, overrides));
  SYNCLINE_ASSIGN_OR_RETURN(const auto client,
                            ClusterClient::Create(options.coordinator, options.security));
  SYNCLINE_ASSIGN_OR_RETURN(const auto status, client->Status());
  ScaleRequest request;
  request.set_shards(job.shards());
  request.set_workers(job.workers());
  request.set_rebalance(job.rebalance());
  // Where checkpoints go may have been left to the launcher.
  if (job.checkpoint().directory().empty()) {
    job.mutable_checkpoint()->set_directory(status.job().checkpoint().directory());
  }
  const std::string differences = FixedDifferences(status.job(), job);
  if (!differences.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(file, " differs from the running job in more than shards, workers and rebalance, "
                     "which is all that can change while it runs:\n", differences));
  }
  return Scale(client.get(), request, wait);
}

}  // namespace syncline
