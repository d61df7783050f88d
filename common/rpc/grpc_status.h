#ifndef SYNCLINE_COMMON_RPC_GRPC_STATUS_H_
#define SYNCLINE_COMMON_RPC_GRPC_STATUS_H_

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace syncline {

// The only two places where errors cross between Abseil's vocabulary and gRPC's. The codes are the
// same numbers in both; messages are kept. A code that neither knows becomes UNKNOWN.
grpc::Status ToGrpcStatus(const absl::Status& status);
absl::Status FromGrpcStatus(const grpc::Status& status);

// Whether the same call may succeed later without the caller changing anything: the peer is away,
// restarting or busy. Everything we send is safe to repeat. ABORTED is not transient: the caller must
// look anew first.
bool IsTransient(const absl::Status& status);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_RPC_GRPC_STATUS_H_
