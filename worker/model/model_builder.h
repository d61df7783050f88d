#ifndef SYNCLINE_WORKER_MODEL_MODEL_BUILDER_H_
#define SYNCLINE_WORKER_MODEL_MODEL_BUILDER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/job.pb.h"
#include "worker/model/layer.h"

namespace syncline {

// Checks a manifest's model. InvalidArgument names the field, its value and what is accepted, e.g.
// "model.layers[2].linear.units is 0; accepted: 1 to 65536".
absl::Status ValidateModel(const Model& model);

// The layers of a model in order, each named by its place in the manifest ("0.linear"). An
// activation just after a linear layer becomes part of it. `seed` decides dropout.
absl::StatusOr<std::vector<std::unique_ptr<ModelLayer>>> BuildLayers(const Model& model,
                                                                     uint64_t seed);

// The tensors a model learns, in order from the input, without building it on a device.
absl::StatusOr<std::vector<ParameterSpec>> ModelParameters(const Model& model);

// The model's loss with its default in place.
Loss LossOf(const Model& model);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_MODEL_BUILDER_H_
