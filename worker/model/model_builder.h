#ifndef SYNCLINE_WORKER_MODEL_MODEL_BUILDER_H_
#define SYNCLINE_WORKER_MODEL_MODEL_BUILDER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/cluster/stage_layout.h"
#include "common/config/model_shape.h"
#include "proto/job.pb.h"
#include "worker/model/layer.h"
#include "worker/model/tensor_group.h"

namespace syncline {

inline LayerRange AllLayers(const Model& model) { return {0, model.layers_size()}; }

// The layers of a model in order, each named by its place in the manifest ("0.linear"). An
// activation just after a linear layer becomes part of it. `seed` decides dropout. The model is checked first
// (ValidateModel). With a group, which outlives them, they are this process's part of layers that are split
// (PlanSplits over the range); what comes in and out is whole.
absl::StatusOr<std::vector<std::unique_ptr<ModelLayer>>> BuildLayers(const Model& model,
                                                                     const LayerRange& range,
                                                                     uint64_t seed,
                                                                     TensorGroup* group = nullptr);

// The tensors that layers of a model learn, in order from the input, without building them on a device.
absl::StatusOr<std::vector<ParameterSpec>> ModelParameters(const Model& model,
                                                           const LayerRange& range,
                                                           TensorGroup* group = nullptr);
inline absl::StatusOr<std::vector<ParameterSpec>> ModelParameters(const Model& model) {
  return ModelParameters(model, AllLayers(model));
}

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_MODEL_BUILDER_H_
