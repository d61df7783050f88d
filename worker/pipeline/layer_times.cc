#include "worker/pipeline/layer_times.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "common/cluster/stage_layout.h"
#include "common/status/status_macros.h"
#include "common/time/steady_now.h"
#include "worker/model/model_builder.h"
#include "worker/model/network.h"
#include "worker/pipeline/stage.h"

namespace syncline {
namespace {

constexpr int kTries = 5;

absl::StatusOr<double> MeasureLayer(const Model& model, int layer, const Device* device, int rows) {
  SYNCLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network,
                            Network::Create(model, device, rows, 1, nullptr, {{layer, layer + 1}, 1, false}));
  const size_t in = sizeof(float) * rows * network->inputs(), out = sizeof(float) * rows * network->outputs();
  SYNCLINE_ASSIGN_OR_RETURN(const DeviceMemory features, DeviceMemory::Allocate(device, in));
  SYNCLINE_ASSIGN_OR_RETURN(const DeviceMemory targets, DeviceMemory::Allocate(device, out));
  SYNCLINE_ASSIGN_OR_RETURN(const DeviceMemory gradient, DeviceMemory::Allocate(device, in));
  SYNCLINE_ASSIGN_OR_RETURN(const DeviceMemory output_gradient, DeviceMemory::Allocate(device, out));
  Batch batch;
  batch.rows = rows;
  batch.features = features.floats();
  batch.labels = static_cast<const int32_t*>(targets.data());
  batch.targets = targets.floats();
  Network::BackwardOptions backward;
  backward.output_gradient = output_gradient.floats();
  backward.input_gradient = gradient.floats();
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kTries; ++i) {
    const absl::Time begin = SteadyNow();
    SYNCLINE_RETURN_IF_ERROR(network->Forward(batch));
    SYNCLINE_RETURN_IF_ERROR(network->Backward(nullptr, backward));
    SYNCLINE_RETURN_IF_ERROR(device->Run(&Backend::synchronize));
    least = std::min(least, SecondsSince(begin));
  }
  return least;
}

}  // namespace

absl::StatusOr<std::vector<double>> MeasureLayers(const Model& model, const Device* device, int rows) {
  std::vector<double> seconds;
  for (int layer = 0; layer < model.layers_size(); ++layer) {
    SYNCLINE_ASSIGN_OR_RETURN(const double taken, MeasureLayer(model, layer, device, rows));
    seconds.push_back(taken);
  }
  return seconds;
}

absl::StatusOr<std::string> PlaceLayers(const JobManifest& job, const Device* device) {
  const Pipeline& pipeline = job.pipeline();
  const int stages = static_cast<int>(pipeline.stages());
  if (pipeline.layers() != "auto") return pipeline.layers();
  if (stages <= 1) return StageLayersText({AllLayers(job.model())});
  const int rows = PipelineStage::MicroRows(pipeline, static_cast<int>(job.batch_size()));
  SYNCLINE_ASSIGN_OR_RETURN(const std::vector<double> seconds, MeasureLayers(job.model(), device, rows));
  std::vector<bool> learns;
  for (int i = 0; i < job.model().layers_size(); ++i) {
    SYNCLINE_ASSIGN_OR_RETURN(const auto specs, ModelParameters(job.model(), {i, i + 1}));
    learns.push_back(!specs.empty());
  }
  SYNCLINE_ASSIGN_OR_RETURN(const auto placed, BalanceStages(seconds, learns, stages));
  return StageLayersText(placed);
}

}  // namespace syncline
