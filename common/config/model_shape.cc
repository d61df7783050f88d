#include "common/config/model_shape.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/config/data_columns.h"

namespace syncline {
namespace {

constexpr uint32_t kMaxFields = 1 << 16;

// How many vectors of `dim` lie in what a layer gets.
int Vectors(int width, uint32_t dim) { return dim == 0 ? 0 : width / static_cast<int>(dim); }

}  // namespace

int RowsOf(const SparseFeatures& sparse) {
  if (sparse.pooling() == POOLING_SUM || sparse.pooling() == POOLING_MEAN) return 1;
  const auto fields = ParseFields(sparse.fields(), kMaxFields);
  return fields.ok() ? static_cast<int>(fields->size()) : 0;
}

std::vector<InputPart> InputParts(const Model& model) {
  std::vector<InputPart> parts;
  int begin = static_cast<int>(model.input());
  if (begin > 0) parts.push_back({"dense", 0, begin});
  for (const SparseFeatures& sparse : model.sparse()) {
    const int width = RowsOf(sparse) * static_cast<int>(sparse.dim());
    parts.push_back({sparse.name(), begin, width});
    begin += width;
  }
  return parts;
}

absl::StatusOr<std::vector<InputPart>> BranchParts(const Model& model, const Branch& branch) {
  const std::vector<InputPart> parts = InputParts(model);
  if (branch.of().empty()) return parts;
  std::vector<InputPart> chosen;
  for (absl::string_view name : absl::StrSplit(branch.of(), ',')) {
    name = absl::StripAsciiWhitespace(name);
    const auto found = std::find_if(parts.begin(), parts.end(), [&](const InputPart& p) { return p.name == name; });
    if (found == parts.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", absl::CHexEscape(name), "\" is not one of ",
          absl::StrJoin(parts, ", ", [](std::string* out, const InputPart& p) { out->append(p.name); })));
    }
    chosen.push_back(*found);
  }
  return chosen;
}

SampleShape ShapeAfter(const Model& model, const Layer& layer, SampleShape shape) {
  switch (layer.kind_case()) {
    case Layer::kLinear:
      return {shape.positions, static_cast<int>(layer.linear().units())};
    case Layer::kEmbedding:  // the positions were the features so far
      return {shape.width, static_cast<int>(layer.embedding().units())};
    case Layer::kParallel: {
      int width = 0;
      for (const Branch& branch : layer.parallel().branches()) width += ShapeAfter(model, branch).width;
      return {1, width};
    }
    case Layer::kSum:
      return {1, SumDim(layer.sum())};
    case Layer::kFactorization:
      return {1, 1};
    case Layer::kInteraction: {
      const int vectors = Vectors(shape.width, layer.interaction().dim());
      return {1, static_cast<int>(layer.interaction().dim()) + vectors * (vectors - 1) / 2};
    }
    default:
      return shape;
  }
}

SampleShape ShapeBefore(const Model& model, const Branch& branch) {
  SampleShape shape;
  const auto parts = BranchParts(model, branch);
  if (!parts.ok()) return shape;
  for (const InputPart& part : *parts) shape.width += part.width;
  return shape;
}

SampleShape ShapeAfter(const Model& model, const Branch& branch) {
  SampleShape shape = ShapeBefore(model, branch);
  for (const Layer& layer : branch.layers()) shape = ShapeAfter(model, layer, shape);
  return shape;
}

SampleShape ShapeBefore(const Model& model, int layer) {
  SampleShape shape;
  for (const InputPart& part : InputParts(model)) shape.width += part.width;
  for (int i = 0; i < layer; ++i) shape = ShapeAfter(model, model.layers(i), shape);
  return shape;
}

uint32_t ModelOutputs(const Model& model) {
  return static_cast<uint32_t>(ShapeBefore(model, model.layers_size()).width);
}

}  // namespace syncline
