#include "worker/model/model_validation.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/config/model_shape.h"
#include "common/status/status_macros.h"
#include "worker/model/loss.h"

namespace syncline {
namespace {

constexpr uint32_t kMaxInput = 1 << 20;
constexpr uint32_t kMaxUnits = 1 << 16;
constexpr uint32_t kMaxPositions = 1 << 14;
constexpr int kMaxLayers = 1000;
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

absl::Status ValidateVectors(const Model& model, uint32_t dim, const SampleShape& shape, const std::string& field) {
  if (model.layers(0).has_embedding()) {
    return absl::InvalidArgumentError(absl::StrCat(field, " does not go with an embedding as the model's first layer"));
  }
  if (dim >= 1 && dim <= kMaxUnits && shape.width > 0 && shape.width % static_cast<int>(dim) == 0) {
    return absl::OkStatus();
  }
  return OutOfRange(field + ".dim", dim, absl::StrCat("what divides the width, ", shape.width));
}

absl::Status ValidateParallel(const Model& model, const Layer& layer, const std::string& field, int depth) {
  if (&layer != &model.layers(0)) {
    return absl::InvalidArgumentError(absl::StrCat(field, " is not the model's first layer"));
  }
  if (layer.parallel().branches().empty()) return OutOfRange(field + ".branches, of which there", 0, "at least 1");
  for (int i = 0; i < layer.parallel().branches_size(); ++i) {
    const Branch& branch = layer.parallel().branches(i);
    const std::string path = absl::StrCat(field, ".branches[", i, "]");
    const auto parts = BranchParts(model, branch);
    if (!parts.ok()) return absl::InvalidArgumentError(absl::StrCat(path, ".of: ", parts.status().message()));
    if (branch.layers().empty()) continue;
    SampleShape shape = ShapeBefore(model, branch);
    SYNCLINE_RETURN_IF_ERROR(ValidateLayers(model, branch.layers(), path + ".layers", depth + 1, &shape));
  }
  return absl::OkStatus();
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
    case Layer::kParallel:
      return ValidateParallel(model, layer, field + ".parallel", depth);
    case Layer::kSum:
      return ValidateVectors(model, SumDim(layer.sum()), shape, field + ".sum");
    case Layer::kFactorization:
      return ValidateVectors(model, layer.factorization().dim(), shape, field + ".factorization");
    case Layer::kInteraction:
      return ValidateVectors(model, layer.interaction().dim(), shape, field + ".interaction");
    case Layer::KIND_NOT_SET:
      return absl::InvalidArgumentError(
          absl::StrCat(field, " is empty; accepted: linear, relu, gelu, tanh, sigmoid, dropout, "
                              "layer_norm, embedding, attention, residual, parallel, sum, factorization, "
                              "interaction"));
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
    *shape = ShapeAfter(model, layers[i], *shape);
  }
  return absl::OkStatus();
}

bool Learns(const Layer& layer) {
  if (layer.has_residual()) {
    const auto& layers = layer.residual().layers();
    return std::any_of(layers.begin(), layers.end(), Learns);
  }
  for (const Branch& branch : layer.parallel().branches()) {
    if (std::any_of(branch.layers().begin(), branch.layers().end(), Learns)) return true;
  }
  if (layer.has_sum()) return !layer.sum().has_bias() || layer.sum().bias();
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

absl::Status ValidateModel(const Model& model) {
  if (model.input() > kMaxInput || (model.input() == 0 && model.sparse().empty())) {
    return OutOfRange("model.input", model.input(), absl::StrCat("1 to ", kMaxInput));
  }
  SampleShape shape = ShapeBefore(model, 0);
  if (shape.width < 1 || shape.width > static_cast<int>(kMaxInput)) {
    return OutOfRange("the width of model.input and model.sparse", shape.width, absl::StrCat("1 to ", kMaxInput));
  }
  SYNCLINE_RETURN_IF_ERROR(ValidateLayers(model, model.layers(), "model.layers", 0, &shape));
  if (!std::any_of(model.layers().begin(), model.layers().end(), Learns)) {
    return absl::InvalidArgumentError(
        "model.layers has nothing to learn; add a linear or layer_norm layer");
  }
  return ValidateLoss(model);
}

}  // namespace syncline
