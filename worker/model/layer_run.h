#ifndef SYNCLINE_WORKER_MODEL_LAYER_RUN_H_
#define SYNCLINE_WORKER_MODEL_LAYER_RUN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/cluster/stage_layout.h"
#include "common/config/model_shape.h"
#include "proto/job.pb.h"
#include "worker/model/layer.h"
#include "worker/model/tensor_group.h"

namespace syncline {

// A list of layers has at most so many.
constexpr int kMaxLayers = 1000;

// How layers of one list of a valid manifest are built.
struct LayerRun {
  const Model* model = nullptr;
  const google::protobuf::RepeatedPtrField<Layer>* layers = nullptr;
  LayerRange range;
  std::string prefix;       // of their names
  SampleShape shape;        // of what comes in
  uint64_t seed = 0;        // decides dropout
  TensorGroup* group = nullptr;  // null: not split
};

// Each named by its place in the list. An activation just after a linear layer becomes part of it. What comes in and
// out is whole.
std::vector<std::unique_ptr<ModelLayer>> BuildRun(const LayerRun& run);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_LAYER_RUN_H_
