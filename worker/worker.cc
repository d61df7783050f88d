#include "worker/worker.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/cluster/team_size.h"
#include "common/obs/status_page.h"
#include "common/status/status_macros.h"
#include "common/time/steady_now.h"
#include "spdlog/spdlog.h"
#include "worker/client/client.h"
#include "worker/local/helper.h"
#include "worker/local/host_group.h"
#include "worker/membership.h"
#include "worker/progress_board.h"
#include "worker/rejoins.h"
#include "worker/team_worker.h"

namespace syncline {
namespace {

absl::StatusOr<std::unique_ptr<StatusPage>> ServePage(const WorkerOptions& options,
                                                      ProgressBoard* board) {
  if (options.http_port < 0) return nullptr;
  StatusPage::Options page;
  page.listen = absl::StrCat(options.page_host, ":", options.http_port);
  page.metrics = [board] { return board->Metrics(); };
  page.not_ready = [board] { return board->NotReady(); };
  return StatusPage::Start(std::move(page));
}

// The place of this process among those of its host; leads none if the job does not want that.
absl::StatusOr<HostPlace> FindPlace(const WorkerOptions& options, JobManifest* job) {
  SYNCLINE_ASSIGN_OR_RETURN(*job, Client::AskJob(ClientOptionsOf(options)));
  if (!job->local_aggregation()) return HostPlace{true, LocalSocket()};
  return JoinHostGroup(HostGroupName(job->name(), options.coordinator, options.host),
                       options.stop);
}

absl::StatusOr<HelperResult> Help(const WorkerOptions& options, const JobManifest& job,
                                  const LocalSocket& leader) {
  HelperOptions help;
  help.leader = &leader;
  help.job = job;
  help.device = DeviceOptionsOf(options, job);
  help.step_delay = options.step_delay;
  help.stop = options.stop;
  return RunHelper(help);
}

}  // namespace

absl::Status RunWorker(const WorkerOptions& options) {
  ProgressBoard board;
  SYNCLINE_ASSIGN_OR_RETURN(const std::unique_ptr<StatusPage> page, ServePage(options, &board));
  if (options.serving) {
    options.serving(page == nullptr ? "" : absl::StrCat(options.page_host, ":", page->port()));
  }
  HelperResult before;
  Rejoins rejoins;
  while (true) {
    JobManifest job;
    auto place = FindPlace(options, &job);
    // The leader had no time to say that training was over.
    if (absl::IsFailedPrecondition(place.status()) && before.incarnation > 0) break;
    if (absl::IsCancelled(place.status())) break;
    SYNCLINE_RETURN_IF_ERROR(place.status());
    if (PushesTogether(job)) return RunInTeam(options, job, &board);
    if (!place->leads) {
      SYNCLINE_ASSIGN_OR_RETURN(const HelperResult help, Help(options, job, place->socket));
      if (help.end != HelperResult::kLeaderLost) break;
      if (help.incarnation > 0) before = help;
      continue;
    }
    bool given_up = false;
    Role role;
    if (job.local_aggregation()) role.listener = std::move(place->socket);
    role.before = before;
    const absl::Time begun = SteadyNow();
    const absl::Status status = Train(options, &board, std::move(role), &given_up);
    const bool stopping = options.stop && options.stop();
    if (stopping && absl::IsCancelled(status)) break;  // it had not begun
    if (!given_up || stopping || !rejoins.Again(SteadyNow() - begun)) return status;
    spdlog::warn("the cluster gave this worker up ({}): joining again",
                 std::string(status.message()));
  }
  return absl::OkStatus();
}

}  // namespace syncline
