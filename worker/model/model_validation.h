#ifndef SYNCLINE_WORKER_MODEL_MODEL_VALIDATION_H_
#define SYNCLINE_WORKER_MODEL_MODEL_VALIDATION_H_

#include "absl/status/status.h"
#include "proto/job.pb.h"

namespace syncline {

// Checks a manifest's model. InvalidArgument names the field, its value and what is accepted, e.g.
// "model.layers[2].linear.units is 0; accepted: 1 to 65536".
absl::Status ValidateModel(const Model& model);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_MODEL_VALIDATION_H_
