#ifndef SYNCLINE_COMMON_CONFIG_MODEL_SHAPE_H_
#define SYNCLINE_COMMON_CONFIG_MODEL_SHAPE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/job.pb.h"

namespace syncline {

// A sample between two layers: so many positions (1 unless the model begins with an embedding) of so many units.
struct SampleShape {
  int positions = 1;
  int width = 0;
  int units() const { return positions * width; }
};

// Columns of what a model's first layer gets: the features, or what one of model.sparse gives.
struct InputPart {
  std::string name;  // "dense" or that of the entry
  int begin = 0;
  int width = 0;
};

// Below, a model is complete (FillManifestDefaults), but need not be valid: widths are then meaningless.

// The parts in the order in which they lie; no "dense" where model.input is 0.
std::vector<InputPart> InputParts(const Model& model);
// Rows that one of model.sparse gives for a sample: its fields', or one if they are pooled.
int RowsOf(const SparseFeatures& sparse);

// The parts that a branch of a `parallel` layer gets, as in "dense, items"; all if it names none.
// InvalidArgument: there is no such part.
absl::StatusOr<std::vector<InputPart>> BranchParts(const Model& model, const Branch& branch);

inline int SumDim(const Sum& sum) { return sum.has_dim() ? static_cast<int>(sum.dim()) : 1; }

// What a layer gives for what it gets.
SampleShape ShapeAfter(const Model& model, const Layer& layer, SampleShape shape);
// What a branch gets, and gives.
SampleShape ShapeBefore(const Model& model, const Branch& branch);
SampleShape ShapeAfter(const Model& model, const Branch& branch);
// What layer `layer` of a model gets; with layers_size(), what the model gives.
SampleShape ShapeBefore(const Model& model, int layer);

// Outputs of the last layer, a position.
uint32_t ModelOutputs(const Model& model);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_MODEL_SHAPE_H_
