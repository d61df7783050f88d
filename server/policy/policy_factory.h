#ifndef SYNCLINE_SERVER_POLICY_POLICY_FACTORY_H_
#define SYNCLINE_SERVER_POLICY_POLICY_FACTORY_H_

#include <memory>

#include "absl/status/statusor.h"
#include "proto/job.pb.h"
#include "server/policy/sync_policy.h"

namespace syncline {

// The policy a job asks for, beginning at `first_step`. Unset fields take the
// defaults documented in job.proto. INVALID_ARGUMENT for an unknown sync_mode.
absl::StatusOr<std::unique_ptr<SyncPolicy>> MakePolicy(const JobManifest& job,
                                                       Clock first_step);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_POLICY_POLICY_FACTORY_H_
