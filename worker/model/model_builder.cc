#include "worker/model/model_builder.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "worker/model/activation.h"
#include "worker/model/attention.h"
#include "worker/model/dropout.h"
#include "worker/model/embedding.h"
#include "worker/model/layer_norm.h"
#include "worker/model/linear.h"
#include "worker/model/residual.h"

namespace syncline {
namespace {

constexpr uint32_t kMaxInput = 1 << 20;
constexpr uint32_t kMaxUnits = 1 << 16;
constexpr uint32_t kMaxPositions = 1 << 14;
constexpr int kMaxLayers = 1000;
constexpr int kMaxDepth = 8;
constexpr double kDefaultEpsilon = 1e-5;

template <typename T>
absl::Status OutOfRange(const std::string& field, T value, absl::string_view accepted) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, " is ", value, "; accepted: ", accepted));
}

SampleShape ShapeAfter(const Layer& layer, SampleShape shape) {
  if (layer.has_linear()) shape.width = static_cast<int>(layer.linear().units());
  // The positions were the features so far.
  if (layer.has_embedding()) shape = {shape.width, static_cast<int>(layer.embedding().units())};
  return shape;
}

absl::Status ValidateLinear(const Linear& linear, const std::string& field) {
  if (linear.units() >= 1 && linear.units() <= kMaxUnits) return absl::OkStatus();
  return OutOfRange(field + ".units", linear.units(), absl::StrCat("1 to ", kMaxUnits));
}

absl::Status ValidateEmbedding(const Model& model, const Layer& layer, const std::string& field) {
  const Embedding& embedding = layer.embedding();
  if (&layer != &model.layers(0)) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": an embedding is a model's first layer"));
  }
  if (embedding.vocabulary() < 2 || embedding.vocabulary() > kMaxInput) {
    return OutOfRange(field + ".vocabulary", embedding.vocabulary(), absl::StrCat("2 to ", kMaxInput));
  }
  if (embedding.units() < 1 || embedding.units() > kMaxUnits) {
    return OutOfRange(field + ".units", embedding.units(), absl::StrCat("1 to ", kMaxUnits));
  }
  if (model.input() <= kMaxPositions) return absl::OkStatus();
  return OutOfRange("model.input, with an embedding,", model.input(), absl::StrCat("1 to ", kMaxPositions));
}

absl::Status ValidateAttention(const Model& model, const Attention& attention, const SampleShape& shape,
                               const std::string& field) {
  if (!model.layers(0).has_embedding()) {
    return absl::InvalidArgumentError(absl::StrCat(field, " needs an embedding as the model's first layer"));
  }
  const uint32_t width = static_cast<uint32_t>(shape.width);
  if (attention.heads() >= 1 && width % attention.heads() == 0) return absl::OkStatus();
  return OutOfRange(field + ".heads", attention.heads(), absl::StrCat("what divides the width, ", width));
}

absl::Status ValidateLayers(const Model& model, const google::protobuf::RepeatedPtrField<Layer>& layers,
                            const std::string& field, int depth, SampleShape* shape);

absl::Status ValidateResidual(const Model& model, const Residual& residual, const SampleShape& shape,
                              const std::string& field, int depth) {
  if (depth >= kMaxDepth) return OutOfRange(field, depth + 1, absl::StrCat("at most ", kMaxDepth, " within each other"));
  SampleShape after = shape;
  SYNCLINE_RETURN_IF_ERROR(ValidateLayers(model, residual.layers(), field + ".layers", depth + 1, &after));
  if (after.width == shape.width) return absl::OkStatus();
  return OutOfRange(field + "'s last width", after.width, absl::StrCat(shape.width, ", that of what is added"));
}

absl::Status ValidateLayer(const Model& model, const Layer& layer, const SampleShape& shape,
                           const std::string& field, int depth) {
  switch (layer.kind_case()) {
    case Layer::kLinear:
      return ValidateLinear(layer.linear(), field + ".linear");
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
    case Layer::kEmbedding:
      return ValidateEmbedding(model, layer, field + ".embedding");
    case Layer::kAttention:
      return ValidateAttention(model, layer.attention(), shape, field + ".attention");
    case Layer::kResidual:
      return ValidateResidual(model, layer.residual(), shape, field + ".residual", depth);
    case Layer::KIND_NOT_SET:
      return absl::InvalidArgumentError(
          absl::StrCat(field, " is empty; accepted: linear, relu, gelu, tanh, sigmoid, dropout, "
                              "layer_norm, embedding, attention, residual"));
    default:
      return absl::OkStatus();
  }
}

absl::Status ValidateLayers(const Model& model, const google::protobuf::RepeatedPtrField<Layer>& layers,
                            const std::string& field, int depth, SampleShape* shape) {
  if (layers.size() < 1 || layers.size() > kMaxLayers) {
    return OutOfRange(absl::StrCat("the number of ", field), layers.size(), absl::StrCat("1 to ", kMaxLayers));
  }
  for (int i = 0; i < layers.size(); ++i) {
    SYNCLINE_RETURN_IF_ERROR(ValidateLayer(model, layers[i], *shape, absl::StrCat(field, "[", i, "]"), depth));
    *shape = ShapeAfter(layers[i], *shape);
  }
  return absl::OkStatus();
}

bool Learns(const Layer& layer) {
  if (layer.has_residual()) {
    const auto& layers = layer.residual().layers();
    return std::any_of(layers.begin(), layers.end(), Learns);
  }
  return layer.has_linear() || layer.has_layer_norm() || layer.has_embedding() || layer.has_attention();
}

absl::Status ValidateLoss(const Model& model) {
  const SampleShape outputs = ShapeBefore(model, model.layers_size());
  if (model.layers(0).has_embedding() && LossOf(model) != SOFTMAX_CROSS_ENTROPY) {
    return OutOfRange("model.loss, with an embedding,", Loss_Name(LossOf(model)), "softmax_cross_entropy");
  }
  switch (LossOf(model)) {
    case SOFTMAX_CROSS_ENTROPY:
      if (outputs.width >= 2) return absl::OkStatus();
      return OutOfRange("the last width of model.layers, with softmax_cross_entropy,", outputs.width,
                        "at least 2, one a class");
    case LOGISTIC:
      if (outputs.width == 1) return absl::OkStatus();
      return OutOfRange("the last width of model.layers, with logistic,", outputs.width, "1");
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

using Layers = std::vector<std::unique_ptr<ModelLayer>>;

// Layers of one list of the manifest, named from `prefix` on.
Layers BuildRun(const google::protobuf::RepeatedPtrField<Layer>& layers, const LayerRange& range,
                const std::string& prefix, SampleShape shape, uint64_t seed);

// A layer that no other one is fused with.
std::unique_ptr<ModelLayer> BuildLayer(const Layer& layer, const std::string& name, const SampleShape& shape,
                                       uint64_t seed) {
  switch (layer.kind_case()) {
    case Layer::kDropout:
      return std::make_unique<DropoutLayer>(shape.units(), static_cast<float>(layer.dropout().rate()), seed);
    case Layer::kLayerNorm: {
      const double epsilon = layer.layer_norm().has_epsilon() ? layer.layer_norm().epsilon() : kDefaultEpsilon;
      return std::make_unique<LayerNormLayer>(name + ".layer_norm", shape.positions, shape.width,
                                              static_cast<float>(epsilon));
    }
    case Layer::kEmbedding:
      return std::make_unique<EmbeddingLayer>(name + ".embedding", shape.width,
                                              static_cast<int>(layer.embedding().vocabulary()),
                                              static_cast<int>(layer.embedding().units()));
    case Layer::kAttention:
      return std::make_unique<AttentionLayer>(name + ".attention", shape.positions, shape.width,
                                              static_cast<int>(layer.attention().heads()));
    case Layer::kResidual: {
      const auto& within = layer.residual().layers();
      return std::make_unique<ResidualLayer>(
          BuildRun(within, {0, within.size()}, name + ".residual.", shape, seed));
    }
    default:
      return std::make_unique<ActivationLayer>(shape.units(), ActivationOf(layer));
  }
}

Layers BuildRun(const google::protobuf::RepeatedPtrField<Layer>& layers, const LayerRange& range,
                const std::string& prefix, SampleShape shape, uint64_t seed) {
  Layers built;
  LinearLayer* last_linear = nullptr;  // the layer before this one, if it is linear
  for (int i = range.begin; i < range.end; ++i) {
    const Layer& layer = layers[i];
    const BackendActivation activation = ActivationOf(layer);
    if (activation != kIdentity && last_linear != nullptr && !last_linear->fused()) {
      last_linear->Fuse(activation);
      continue;
    }
    last_linear = nullptr;
    const std::string name = absl::StrCat(prefix, i);
    if (layer.has_linear()) {
      const Linear& linear = layer.linear();
      auto made = std::make_unique<LinearLayer>(name + ".linear", shape.positions, shape.width,
                                                static_cast<int>(linear.units()),
                                                linear.has_bias() ? linear.bias() : true);
      last_linear = made.get();
      built.push_back(std::move(made));
    } else {
      built.push_back(BuildLayer(layer, name, shape, seed * kMaxLayers + i));
    }
    shape = ShapeAfter(layer, shape);
  }
  return built;
}

}  // namespace

SampleShape ShapeBefore(const Model& model, int layer) {
  SampleShape shape = {1, static_cast<int>(model.input())};
  for (int i = 0; i < layer; ++i) shape = ShapeAfter(model.layers(i), shape);
  return shape;
}

Loss LossOf(const Model& model) {
  if (!model.has_loss() || model.loss() == LOSS_UNSPECIFIED) return SOFTMAX_CROSS_ENTROPY;
  return model.loss();
}

absl::Status ValidateModel(const Model& model) {
  if (model.input() < 1 || model.input() > kMaxInput) {
    return OutOfRange("model.input", model.input(), absl::StrCat("1 to ", kMaxInput));
  }
  SampleShape shape = ShapeBefore(model, 0);
  SYNCLINE_RETURN_IF_ERROR(ValidateLayers(model, model.layers(), "model.layers", 0, &shape));
  if (!std::any_of(model.layers().begin(), model.layers().end(), Learns)) {
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
  return BuildRun(model.layers(), range, "", ShapeBefore(model, range.begin), seed);
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
