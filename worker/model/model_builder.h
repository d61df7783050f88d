#ifndef SYNCLINE_WORKER_MODEL_MODEL_BUILDER_H_
#define SYNCLINE_WORKER_MODEL_MODEL_BUILDER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/cluster/stage_layout.h"
#include "proto/job.pb.h"
#include "worker/model/layer.h"
#include "worker/model/sample_shape.h"
#include "worker/model/tensor_group.h"

namespace syncline {

// Checks a manifest's model. InvalidArgument names the field, its value and what is accepted, e.g.
// "model.layers[2].linear.units is 0; accepted: 1 to 65536".
absl::Status ValidateModel(const Model& model);

inline LayerRange AllLayers(const Model& model) { return {0, model.layers_size()}; }

// The layers of a model in order, each named by its place in the manifest ("0.linear"). An activation just after a
// linear layer becomes part of it. `seed` decides dropout. With a group, which outlives them, they are this
// process's part of layers that are split (PlanSplits over the range); what comes in and out is whole.
absl::StatusOr<std::vector<std::unique_ptr<ModelLayer>>> BuildLayers(const Model& model,
                                                                     const LayerRange& range,
                                                                     uint64_t seed,
                                                                     TensorGroup* group = nullptr);

// What layer `layer` of a valid model gets; with layers_size(), what the model gives.
SampleShape ShapeBefore(const Model& model, int layer);

// The tensors that layers of a model learn, in order from the input, without building them on a device.
absl::StatusOr<std::vector<ParameterSpec>> ModelParameters(const Model& model,
                                                           const LayerRange& range,
                                                           TensorGroup* group = nullptr);
inline absl::StatusOr<std::vector<ParameterSpec>> ModelParameters(const Model& model) {
  return ModelParameters(model, AllLayers(model));
}

// The model's loss with its default in place.
Loss LossOf(const Model& model);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_MODEL_BUILDER_H_
