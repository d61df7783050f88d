#include <unistd.h>

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/io/file_system.h"
#include "common/io/posix_file_system.h"
#include "common/status/status_macros.h"
#include "common/time/steady_now.h"
#include "deploy/cli/cluster_client.h"
#include "deploy/cli/commands.h"
#include "deploy/cli/status_table.h"
#include "deploy/cli/top_table.h"
#include "server/durability/checkpoint_reader.h"

namespace syncline {

namespace {

absl::Status NoCheckpoint() {
  return absl::InvalidArgumentError("--checkpoint is missing: name a checkpoint's folder");
}

}  // namespace

absl::StatusOr<int> RunStatus(const ClusterOptions& options, bool json) {
  SYNCLINE_ASSIGN_OR_RETURN(const auto client,
                            ClusterClient::Create(options.coordinator, options.security));
  SYNCLINE_ASSIGN_OR_RETURN(const auto status, client->Status());
  std::fputs((json ? StatusJson(status) : StatusTable(status)).c_str(), stdout);
  return 0;
}

absl::StatusOr<int> RunTop(const ClusterOptions& options, absl::Duration interval, uint64_t count) {
  if (interval < absl::Milliseconds(100) || interval > absl::Hours(1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--interval is ", absl::FormatDuration(interval), "; accepted: 100ms to 1h"));
  }
  SYNCLINE_ASSIGN_OR_RETURN(const auto client,
                            ClusterClient::Create(options.coordinator, options.security));
  // On a terminal each table takes the place of the last.
  const char* const clear = isatty(STDOUT_FILENO) ? "\033[H\033[2J" : "";
  SYNCLINE_ASSIGN_OR_RETURN(auto before, client->Status());
  absl::Time since = SteadyNow();
  for (uint64_t shown = 0; count == 0 || shown < count; ++shown) {
    absl::SleepFor(interval);
    SYNCLINE_ASSIGN_OR_RETURN(auto now, client->Status());
    const absl::Time time = SteadyNow();
    std::printf("%s%s\n", clear, TopTable(before, now, absl::ToDoubleSeconds(time - since)).c_str());
    std::fflush(stdout);
    if (now.phase() == ClusterStatusReply::FINISHED) break;
    before = std::move(now);
    since = time;
  }
  return 0;
}

absl::StatusOr<int> RunCheckpoint(const ClusterOptions& options) {
  SYNCLINE_ASSIGN_OR_RETURN(const auto client,
                            ClusterClient::Create(options.coordinator, options.security));
  SYNCLINE_ASSIGN_OR_RETURN(const auto reply, client->Checkpoint());
  std::printf("%s\n", reply.directory().c_str());
  return 0;
}

absl::StatusOr<int> RunDrain(const ClusterOptions& options, const std::string& shard) {
  SYNCLINE_ASSIGN_OR_RETURN(const auto client,
                            ClusterClient::Create(options.coordinator, options.security));
  SYNCLINE_ASSIGN_OR_RETURN(const auto reply, client->Drain(shard));
  std::printf("drained%s%s\n", reply.checkpoint().empty() ? "" : ", last checkpoint ",
              reply.checkpoint().c_str());
  return 0;
}

absl::StatusOr<int> RunExport(const std::string& checkpoint, const std::string& to, uint32_t parts) {
  if (checkpoint.empty()) return NoCheckpoint();
  if (to.empty()) return absl::InvalidArgumentError("--to is missing: name the file to write");
  FileSystem& files = PosixFileSystem();
  std::string folder = checkpoint;
  if (!files.Exists(checkpoint + "/MANIFEST.json")) {
    SYNCLINE_ASSIGN_OR_RETURN(folder, LatestCheckpoint(files, checkpoint));
  }
  SYNCLINE_ASSIGN_OR_RETURN(const std::vector<std::string> written, ExportCheckpoint(files, folder, to, parts));
  if (written.size() == 1) {
    std::printf("%s holds the weights of %s\n", written[0].c_str(), folder.c_str());
  } else {
    std::printf("%s to %s hold the weights of %s\n", written.front().c_str(), written.back().c_str(), folder.c_str());
  }
  return 0;
}

absl::StatusOr<int> RunVerify(const std::string& checkpoint) {
  if (checkpoint.empty()) return NoCheckpoint();
  FileSystem& files = PosixFileSystem();
  SYNCLINE_ASSIGN_OR_RETURN(const auto folders, Checkpoints(files, checkpoint));
  bool whole = true;
  for (const std::string& folder : folders) {
    const auto verified = VerifyCheckpoint(files, folder);
    if (!verified.ok()) {
      whole = false;
      std::printf("%s: %s\n", folder.c_str(), std::string(verified.status().message()).c_str());
      continue;
    }
    const CheckpointManifest& manifest = verified->manifest;
    std::printf("%s: whole; job %s, step %llu, %d shards, %.1f MB, of which %.1f linked\n", folder.c_str(),
                manifest.job().name().c_str(), static_cast<unsigned long long>(manifest.step()),
                manifest.map().shards_size(), static_cast<double>(verified->bytes) * 1e-6,
                static_cast<double>(verified->linked_bytes) * 1e-6);
  }
  return whole ? 0 : 1;
}

}  // namespace syncline
