#include "worker/model/model_builder.h"

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
#include "worker/model/model_validation.h"
#include "worker/model/parallel.h"
#include "worker/model/residual.h"
#include "worker/model/sum.h"
#include "worker/model/vector_products.h"

namespace syncline {
namespace {

constexpr uint64_t kMaxLayers = 1000;  // seeds of layers differ
constexpr double kDefaultEpsilon = 1e-5;

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
Layers BuildRun(const Model& model, const google::protobuf::RepeatedPtrField<Layer>& layers, const LayerRange& range,
                const std::string& prefix, SampleShape shape, uint64_t seed);

std::unique_ptr<ModelLayer> BuildParallel(const Model& model, const Parallel& parallel, const std::string& name,
                                          const SampleShape& shape, uint64_t seed) {
  std::vector<ParallelLayer::Branch> branches;
  for (int i = 0; i < parallel.branches_size(); ++i) {
    const Branch& branch = parallel.branches(i);
    const auto& layers = branch.layers();
    branches.push_back({*BranchParts(model, branch),
                        BuildRun(model, layers, {0, layers.size()}, absl::StrCat(name, ".parallel.", i, "."),
                                 ShapeBefore(model, branch), seed * kMaxLayers + i)});
  }
  return std::make_unique<ParallelLayer>(shape.units(), std::move(branches));
}

// A layer that no other one is fused with.
std::unique_ptr<ModelLayer> BuildLayer(const Model& model, const Layer& layer, const std::string& name,
                                       const SampleShape& shape, uint64_t seed) {
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
          BuildRun(model, within, {0, within.size()}, name + ".residual.", shape, seed));
    }
    case Layer::kParallel:
      return BuildParallel(model, layer.parallel(), name, shape, seed);
    case Layer::kSum: {
      const int dim = SumDim(layer.sum());
      return std::make_unique<SumLayer>(name + ".sum", shape.width / dim, dim, !layer.sum().has_bias() || layer.sum().bias());
    }
    case Layer::kFactorization: {
      const int dim = static_cast<int>(layer.factorization().dim());
      return std::make_unique<FactorizationLayer>(shape.width / dim, dim);
    }
    case Layer::kInteraction: {
      const int dim = static_cast<int>(layer.interaction().dim());
      return std::make_unique<InteractionLayer>(shape.width / dim, dim);
    }
    default:
      return std::make_unique<ActivationLayer>(shape.units(), ActivationOf(layer));
  }
}

Layers BuildRun(const Model& model, const google::protobuf::RepeatedPtrField<Layer>& layers, const LayerRange& range,
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
      built.push_back(BuildLayer(model, layer, name, shape, seed * kMaxLayers + i));
    }
    shape = ShapeAfter(model, layer, shape);
  }
  return built;
}

}  // namespace

absl::StatusOr<std::vector<std::unique_ptr<ModelLayer>>> BuildLayers(const Model& model,
                                                                     const LayerRange& range,
                                                                     uint64_t seed) {
  SYNCLINE_RETURN_IF_ERROR(ValidateModel(model));
  if (range.begin < 0 || range.begin >= range.end || range.end > model.layers_size()) {
    return absl::InvalidArgumentError(absl::StrCat("the range of layers is ", range.begin, " up to, but not, ",
                                                   range.end, "; accepted: some of the ", model.layers_size(),
                                                   " there are"));
  }
  return BuildRun(model, model.layers(), range, "", ShapeBefore(model, range.begin), seed);
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
