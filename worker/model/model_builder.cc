#include "worker/model/model_builder.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "worker/model/layer_run.h"

namespace syncline {
namespace {

constexpr uint32_t kMaxInput = 1 << 20;
constexpr uint32_t kMaxUnits = 1 << 16;
constexpr uint32_t kMaxPositions = 1 << 14;
constexpr int kMaxDepth = 8;

template <typename T>
absl::Status OutOfRange(const std::string& field, T value, absl::string_view accepted) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, " is ", value, "; accepted: ", accepted));
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
                                                                     uint64_t seed, TensorGroup* group) {
  SYNCLINE_RETURN_IF_ERROR(ValidateModel(model));
  if (range.begin < 0 || range.begin >= range.end || range.end > model.layers_size()) {
    return OutOfRange("the range of layers",
                      absl::StrCat(range.begin, " up to, but not, ", range.end),
                      absl::StrCat("some of the ", model.layers_size(), " there are"));
  }
  return BuildRun({&model.layers(), range, "", ShapeBefore(model, range.begin), seed, group});
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
