#include "common/cluster/layer_split.h"

namespace syncline {
namespace {

LayerSplit Asked(const Layer& layer) {
  if (layer.has_linear()) return layer.linear().split();
  if (layer.has_attention()) return layer.attention().split();
  return SPLIT_NONE;
}

// `paired`: the layer gets the columns of one before it, each worker its own.
LayerSplit Choose(const Layer& layer, bool paired, int width, int parts) {
  const LayerSplit asked = Asked(layer);
  if (asked != SPLIT_AUTO && asked != SPLIT_UNSPECIFIED) return asked;
  if (layer.has_attention()) return MostParts(layer, SPLIT_HEADS, width) >= parts ? SPLIT_HEADS : SPLIT_NONE;
  if (paired) return SPLIT_ROWS;
  return MostParts(layer, SPLIT_COLUMNS, width) >= parts ? SPLIT_COLUMNS : SPLIT_NONE;
}

}  // namespace

bool KeepsColumnsApart(const Layer& layer) {
  return layer.has_relu() || layer.has_gelu() || layer.has_tanh() || layer.has_sigmoid() || layer.has_dropout();
}

int MostParts(const Layer& layer, LayerSplit split, int width) {
  switch (split) {
    case SPLIT_COLUMNS:
      return static_cast<int>(layer.linear().units());
    case SPLIT_ROWS:
      return width;
    case SPLIT_HEADS:
      return static_cast<int>(layer.attention().heads());
    default:
      return 1;
  }
}

int WidthAfter(const Layer& layer, int width) {
  if (layer.has_linear()) return static_cast<int>(layer.linear().units());
  if (layer.has_embedding()) return static_cast<int>(layer.embedding().units());
  return width;
}

std::vector<LayerSplit> PlanSplits(const google::protobuf::RepeatedPtrField<Layer>& layers, int width, int parts) {
  std::vector<LayerSplit> splits;
  bool paired = false;
  for (const Layer& layer : layers) {
    splits.push_back(parts > 1 ? Choose(layer, paired, width, parts) : SPLIT_NONE);
    paired = splits.back() == SPLIT_COLUMNS || (paired && KeepsColumnsApart(layer));
    width = WidthAfter(layer, width);
  }
  return splits;
}

}  // namespace syncline
