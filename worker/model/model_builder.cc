#include "worker/model/model_builder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "worker/model/layer_run.h"
#include "worker/model/model_validation.h"

namespace syncline {
absl::StatusOr<std::vector<std::unique_ptr<ModelLayer>>> BuildLayers(const Model& model,
                                                                     const LayerRange& range,
                                                                     uint64_t seed, TensorGroup* group) {
  SYNCLINE_RETURN_IF_ERROR(ValidateModel(model));
  if (range.begin < 0 || range.begin >= range.end || range.end > model.layers_size()) {
    return absl::InvalidArgumentError(absl::StrCat("the range of layers is ", range.begin, " up to, but not, ",
                                                   range.end, "; accepted: some of the ", model.layers_size(),
                                                   " there are"));
  }
  return BuildRun({&model, &model.layers(), range, "", ShapeBefore(model, range.begin), seed, group});
}

absl::StatusOr<std::vector<ParameterSpec>> ModelParameters(const Model& model,
                                                           const LayerRange& range,
                                                           TensorGroup* group) {
  SYNCLINE_ASSIGN_OR_RETURN(const auto layers, BuildLayers(model, range, 0, group));
  std::vector<ParameterSpec> specs;
  for (const auto& layer : layers) {
    for (ParameterSpec& spec : layer->parameters()) specs.push_back(std::move(spec));
  }
  return specs;
}

}  // namespace syncline
