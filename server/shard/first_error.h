#ifndef SYNCLINE_SERVER_SHARD_FIRST_ERROR_H_
#define SYNCLINE_SERVER_SHARD_FIRST_ERROR_H_

#include <cstddef>
#include <functional>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "common/status/status_macros.h"
#include "common/threads/parallel_for.h"

namespace syncline {

// The error of the first body that has one. Spread over threads as by ForEachOf.
inline absl::Status FirstErrorOf(const ParallelFor& spread, size_t bytes, size_t count,
                                 const std::function<absl::Status(size_t)>& body) {
  absl::InlinedVector<absl::Status, 16> errors(count);
  ForEachOf(spread, bytes, count, [&](size_t i) { errors[i] = body(i); });
  for (const absl::Status& error : errors) SYNCLINE_RETURN_IF_ERROR(error);
  return absl::OkStatus();
}

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SHARD_FIRST_ERROR_H_
