#ifndef SYNCLINE_SERVER_COORDINATOR_SAME_TENSORS_H_
#define SYNCLINE_SERVER_COORDINATOR_SAME_TENSORS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// Whether the tensors that a worker declares are those of `have`, which is that of `where`, as in "the running job". Of
// tables only what their rows are stored by must be the same. FAILED_PRECONDITION names the first that is not. Pure.
absl::Status CheckSameTensors(const ShardMap& have, absl::Span<const TensorSpec> want, const std::string& where);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_SAME_TENSORS_H_
