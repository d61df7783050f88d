#include "worker/model/layer_run.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/cluster/layer_split.h"
#include "worker/model/activation.h"
#include "worker/model/attention.h"
#include "worker/model/column_exchange.h"
#include "worker/model/dropout.h"
#include "worker/model/embedding.h"
#include "worker/model/layer_norm.h"
#include "worker/model/linear.h"
#include "worker/model/parallel.h"
#include "worker/model/residual.h"
#include "worker/model/sum.h"
#include "worker/model/vector_products.h"

namespace syncline {
namespace {

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

class RunBuilder {
 public:
  explicit RunBuilder(const LayerRun& run) : run_(run), shape_(run.shape) {
    const google::protobuf::RepeatedPtrField<Layer> layers(run.layers->begin() + run.range.begin,
                                                           run.layers->begin() + run.range.end);
    splits_ = PlanSplits(layers, run.shape.width, run.group == nullptr ? 1 : run.group->parts());
  }

  std::vector<std::unique_ptr<ModelLayer>> Build() {
    for (int i = run_.range.begin; i < run_.range.end; ++i) {
      const Layer& layer = (*run_.layers)[i];
      Add(layer, i);
      shape_ = ShapeAfter(*run_.model, layer, shape_);
    }
    Bring(/*apart=*/false);
    return std::move(built_);
  }

 private:
  TensorGroup* GroupIf(bool split) const { return split ? run_.group : nullptr; }
  // What is here of the columns between the last layer and the next.
  AxisPart Columns() const { return AxisPart::Of(shape_.width, GroupIf(apart_)); }

  // From here on each process has its part of the columns, or all of them.
  void Bring(bool apart) {
    if (apart == apart_) return;
    const auto kind = apart ? ColumnExchangeLayer::kTake : ColumnExchangeLayer::kGather;
    built_.push_back(std::make_unique<ColumnExchangeLayer>(kind, run_.group, shape_.positions, shape_.width));
    apart_ = apart;
    last_linear_ = nullptr;
  }

  void Add(const Layer& layer, int place) {
    const LayerSplit split = splits_[place - run_.range.begin];
    const BackendActivation activation = ActivationOf(layer);
    if (activation != kIdentity && last_linear_ != nullptr && !last_linear_->fused()) {
      return last_linear_->Fuse(activation);
    }
    if (!KeepsColumnsApart(layer)) Bring(split == SPLIT_ROWS);
    last_linear_ = nullptr;
    const std::string name = absl::StrCat(run_.prefix, place);
    if (layer.has_linear()) return AddLinear(layer.linear(), name + ".linear", split);
    built_.push_back(Other(layer, name, split, run_.seed * kMaxLayers + place));
  }

  void AddLinear(const Linear& linear, const std::string& name, LayerSplit split) {
    const AxisPart units = AxisPart::Of(static_cast<int>(linear.units()), GroupIf(split == SPLIT_COLUMNS));
    auto made = std::make_unique<LinearLayer>(name, shape_.positions, Columns(), units,
                                              linear.has_bias() ? linear.bias() : true, run_.group);
    last_linear_ = made.get();
    built_.push_back(std::move(made));
    apart_ = split == SPLIT_COLUMNS;
  }

  std::unique_ptr<ModelLayer> Other(const Layer& layer, const std::string& name, LayerSplit split, uint64_t seed) {
    switch (layer.kind_case()) {
      case Layer::kDropout:
        return std::make_unique<DropoutLayer>(shape_.positions, Columns(), static_cast<float>(layer.dropout().rate()),
                                              seed);
      case Layer::kLayerNorm: {
        const double epsilon = layer.layer_norm().has_epsilon() ? layer.layer_norm().epsilon() : kDefaultEpsilon;
        return std::make_unique<LayerNormLayer>(name + ".layer_norm", shape_.positions, shape_.width,
                                                static_cast<float>(epsilon));
      }
      case Layer::kEmbedding:
        return std::make_unique<EmbeddingLayer>(name + ".embedding", shape_.width,
                                                static_cast<int>(layer.embedding().vocabulary()),
                                                static_cast<int>(layer.embedding().units()));
      case Layer::kAttention:
        return std::make_unique<AttentionLayer>(name + ".attention", shape_.positions, shape_.width,
                                                static_cast<int>(layer.attention().heads()),
                                                GroupIf(split == SPLIT_HEADS));
      case Layer::kResidual: {
        const auto& within = layer.residual().layers();
        return std::make_unique<ResidualLayer>(
            BuildRun({run_.model, &within, {0, within.size()}, name + ".residual.", shape_, seed, run_.group}));
      }
      case Layer::kParallel:
        return Branches(layer.parallel(), name, seed);
      case Layer::kSum: {
        const int dim = SumDim(layer.sum());
        return std::make_unique<SumLayer>(name + ".sum", shape_.width / dim, dim,
                                          !layer.sum().has_bias() || layer.sum().bias());
      }
      case Layer::kFactorization: {
        const int dim = static_cast<int>(layer.factorization().dim());
        return std::make_unique<FactorizationLayer>(shape_.width / dim, dim);
      }
      case Layer::kInteraction: {
        const int dim = static_cast<int>(layer.interaction().dim());
        return std::make_unique<InteractionLayer>(shape_.width / dim, dim);
      }
      default:
        return std::make_unique<ActivationLayer>(shape_.positions * Columns().here(), ActivationOf(layer));
    }
  }

  // Layers of branches are whole.
  std::unique_ptr<ModelLayer> Branches(const Parallel& parallel, const std::string& name, uint64_t seed) const {
    std::vector<ParallelLayer::Branch> branches;
    for (int i = 0; i < parallel.branches_size(); ++i) {
      const Branch& branch = parallel.branches(i);
      const auto& layers = branch.layers();
      branches.push_back({*BranchParts(*run_.model, branch),
                          BuildRun({run_.model, &layers, {0, layers.size()}, absl::StrCat(name, ".parallel.", i, "."),
                                    ShapeBefore(*run_.model, branch), seed * kMaxLayers + i, nullptr})});
    }
    return std::make_unique<ParallelLayer>(shape_.units(), std::move(branches));
  }

  const LayerRun run_;
  std::vector<LayerSplit> splits_;
  SampleShape shape_;
  bool apart_ = false;
  LinearLayer* last_linear_ = nullptr;  // the layer before this one, if it is linear
  std::vector<std::unique_ptr<ModelLayer>> built_;
};

}  // namespace

std::vector<std::unique_ptr<ModelLayer>> BuildRun(const LayerRun& run) { return RunBuilder(run).Build(); }

}  // namespace syncline
