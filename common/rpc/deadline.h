#ifndef SYNCLINE_COMMON_RPC_DEADLINE_H_
#define SYNCLINE_COMMON_RPC_DEADLINE_H_

#include "absl/time/time.h"
#include "grpc/support/time.h"

namespace syncline {

// A deadline for gRPC that is `timeout` away by the clock that nobody sets. One of the wall clock is past at once
// when that is set forward: absl::Now() notices up to two seconds after gRPC.
inline gpr_timespec DeadlineIn(absl::Duration timeout) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(absl::ToInt64Nanoseconds(timeout), GPR_TIMESPAN));
}

}  // namespace syncline

#endif  // SYNCLINE_COMMON_RPC_DEADLINE_H_
