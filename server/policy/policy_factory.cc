#include "server/policy/policy_factory.h"

#include "absl/strings/str_cat.h"
#include "server/policy/asp_policy.h"
#include "server/policy/bsp_policy.h"
#include "server/policy/ssp_policy.h"

namespace syncline {

absl::StatusOr<std::unique_ptr<SyncPolicy>> MakePolicy(const JobManifest& job,
                                                       Clock first_step) {
  switch (job.sync_mode()) {
    case SYNC_MODE_UNSPECIFIED:
    case SYNC: {
      BspPolicy::Options options;
      options.first_step = first_step;
      options.backup_workers = job.backup_workers();
      options.drop_lost = job.on_worker_loss() == DROP;
      return std::make_unique<BspPolicy>(options);
    }
    case BOUNDED:
      return std::make_unique<SspPolicy>(job.has_staleness() ? job.staleness() : 1);
    case ASYNC:
      return std::make_unique<AspPolicy>();
    default:
      return absl::InvalidArgumentError(absl::StrCat(
          "sync_mode is ", job.sync_mode(), "; it must be sync, bounded or async"));
  }
}

}  // namespace syncline
