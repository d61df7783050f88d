#include "common/rpc/grpc_status.h"

#include <string>

namespace syncline {
namespace {

template <typename Grpc, typename Absl>
constexpr bool Same(Grpc grpc, Absl absl) {
  return static_cast<int>(grpc) == static_cast<int>(absl);
}
static_assert(Same(grpc::StatusCode::OK, absl::StatusCode::kOk));
static_assert(Same(grpc::StatusCode::CANCELLED, absl::StatusCode::kCancelled));
static_assert(Same(grpc::StatusCode::INVALID_ARGUMENT, absl::StatusCode::kInvalidArgument));
static_assert(Same(grpc::StatusCode::FAILED_PRECONDITION, absl::StatusCode::kFailedPrecondition));
static_assert(Same(grpc::StatusCode::UNAVAILABLE, absl::StatusCode::kUnavailable));
static_assert(Same(grpc::StatusCode::UNAUTHENTICATED, absl::StatusCode::kUnauthenticated));

constexpr int kHighestCode = static_cast<int>(grpc::StatusCode::UNAUTHENTICATED);

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const int code = static_cast<int>(status.code());
  return grpc::Status(code <= kHighestCode ? static_cast<grpc::StatusCode>(code)
                                           : grpc::StatusCode::UNKNOWN,
                      std::string(status.message()));
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const int code = static_cast<int>(status.error_code());
  return absl::Status(code > 0 && code <= kHighestCode ? static_cast<absl::StatusCode>(code)
                                                       : absl::StatusCode::kUnknown,
                      status.error_message());
}

bool IsTransient(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
      return true;
    default:
      return false;
  }
}

}  // namespace syncline
