#include "worker/model/model_builder.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "worker/model/activation.h"
#include "worker/model/dropout.h"
#include "worker/model/layer_norm.h"
#include "worker/model/linear.h"

namespace syncline {
namespace {

constexpr uint32_t kMaxInput = 1 << 20;
constexpr uint32_t kMaxUnits = 1 << 16;
constexpr int kMaxLayers = 1000;
constexpr double kDefaultEpsilon = 1e-5;

template <typename T>
absl::Status OutOfRange(const std::string& field, T value, absl::string_view accepted) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, " is ", value, "; accepted: ", accepted));
}

absl::Status ValidateLayer(const Layer& layer, const std::string& field) {
  switch (layer.kind_case()) {
    case Layer::kLinear:
      if (layer.linear().units() < 1 || layer.linear().units() > kMaxUnits) {
        return OutOfRange(field + ".linear.units", layer.linear().units(),
                          absl::StrCat("1 to ", kMaxUnits));
      }
      return absl::OkStatus();
    case Layer::kDropout:
      if (!(layer.dropout().rate() >= 0.0 && static_cast<float>(layer.dropout().rate()) < 1.0f)) {
        return OutOfRange(field + ".dropout.rate", layer.dropout().rate(),
                          "0 up to, but not, 1");
      }
      return absl::OkStatus();
    case Layer::kLayerNorm: {
      const LayerNorm& norm = layer.layer_norm();
      if (norm.has_epsilon() && !(norm.epsilon() > 0.0 && norm.epsilon() <= 1.0)) {
        return OutOfRange(field + ".layer_norm.epsilon", norm.epsilon(), "above 0, at most 1");
      }
      return absl::OkStatus();
    }
    case Layer::KIND_NOT_SET:
      return absl::InvalidArgumentError(
          absl::StrCat(field, " is empty; accepted: linear, relu, gelu, tanh, sigmoid, dropout, "
                              "layer_norm"));
    default:
      return absl::OkStatus();
  }
}

absl::Status ValidateLoss(const Model& model) {
  const int outputs = InputUnits(model, model.layers_size());
  switch (LossOf(model)) {
    case SOFTMAX_CROSS_ENTROPY:
      if (outputs >= 2) return absl::OkStatus();
      return OutOfRange("the last width of model.layers, with softmax_cross_entropy,", outputs,
                        "at least 2, one a class");
    case LOGISTIC:
      if (outputs == 1) return absl::OkStatus();
      return OutOfRange("the last width of model.layers, with logistic,", outputs, "1");
    case MEAN_SQUARED_ERROR:
      return absl::OkStatus();
    default:
      return OutOfRange("model.loss", static_cast<int>(model.loss()),
                        "softmax_cross_entropy, mean_squared_error, logistic");
  }
}

BackendActivation ActivationOf(const Layer& layer) {
  switch (layer.kind_case()) {
    case Layer::kRelu:
      return kRelu;
    case Layer::kGelu:
      return kGelu;
    case Layer::kTanh:
      return kTanh;
    case Layer::kSigmoid:
      return kSigmoid;
    default:
      return kIdentity;
  }
}

}  // namespace

int InputUnits(const Model& model, int layer) {
  uint32_t units = model.input();
  for (int i = 0; i < layer; ++i) {
    if (model.layers(i).has_linear()) units = model.layers(i).linear().units();
  }
  return static_cast<int>(units);
}

Loss LossOf(const Model& model) {
  if (!model.has_loss() || model.loss() == LOSS_UNSPECIFIED) return SOFTMAX_CROSS_ENTROPY;
  return model.loss();
}

absl::Status ValidateModel(const Model& model) {
  if (model.input() < 1 || model.input() > kMaxInput) {
    return OutOfRange("model.input", model.input(), absl::StrCat("1 to ", kMaxInput));
  }
  if (model.layers_size() < 1 || model.layers_size() > kMaxLayers) {
    return OutOfRange("the number of model.layers", model.layers_size(),
                      absl::StrCat("1 to ", kMaxLayers));
  }
  bool learns = false;
  for (int i = 0; i < model.layers_size(); ++i) {
    SYNCLINE_RETURN_IF_ERROR(
        ValidateLayer(model.layers(i), absl::StrCat("model.layers[", i, "]")));
    learns = learns || model.layers(i).has_linear() || model.layers(i).has_layer_norm();
  }
  if (!learns) {
    return absl::InvalidArgumentError(
        "model.layers has nothing to learn; add a linear or layer_norm layer");
  }
  return ValidateLoss(model);
}

absl::StatusOr<std::vector<std::unique_ptr<ModelLayer>>> BuildLayers(const Model& model,
                                                                     const LayerRange& range,
                                                                     uint64_t seed) {
  SYNCLINE_RETURN_IF_ERROR(ValidateModel(model));
  if (range.begin < 0 || range.begin >= range.end || range.end > model.layers_size()) {
    return OutOfRange("the range of layers",
                      absl::StrCat(range.begin, " up to, but not, ", range.end),
                      absl::StrCat("some of the ", model.layers_size(), " there are"));
  }
  std::vector<std::unique_ptr<ModelLayer>> layers;
  LinearLayer* last_linear = nullptr;  // the layer before this one, if it is linear
  int units = InputUnits(model, range.begin);
  for (int i = range.begin; i < range.end; ++i) {
    const Layer& layer = model.layers(i);
    const BackendActivation activation = ActivationOf(layer);
    if (activation != kIdentity && last_linear != nullptr && !last_linear->fused()) {
      last_linear->Fuse(activation);
      continue;
    }
    last_linear = nullptr;
    if (layer.has_linear()) {
      const Linear& linear = layer.linear();
      auto built = std::make_unique<LinearLayer>(absl::StrCat(i, ".linear"), units, linear.units(),
                                                 linear.has_bias() ? linear.bias() : true);
      last_linear = built.get();
      layers.push_back(std::move(built));
    } else if (layer.has_dropout()) {
      layers.push_back(std::make_unique<DropoutLayer>(
          units, static_cast<float>(layer.dropout().rate()), seed * kMaxLayers + i));
    } else if (layer.has_layer_norm()) {
      const double epsilon =
          layer.layer_norm().has_epsilon() ? layer.layer_norm().epsilon() : kDefaultEpsilon;
      layers.push_back(std::make_unique<LayerNormLayer>(absl::StrCat(i, ".layer_norm"), units,
                                                        static_cast<float>(epsilon)));
    } else {
      layers.push_back(std::make_unique<ActivationLayer>(units, activation));
    }
    units = layers.back()->units();
  }
  return layers;
}

absl::StatusOr<std::vector<ParameterSpec>> ModelParameters(const Model& model,
                                                           const LayerRange& range) {
  SYNCLINE_ASSIGN_OR_RETURN(const auto layers, BuildLayers(model, range, 0));
  std::vector<ParameterSpec> specs;
  for (const auto& layer : layers) {
    for (ParameterSpec& spec : layer->parameters()) specs.push_back(std::move(spec));
  }
  return specs;
}

}  // namespace syncline
