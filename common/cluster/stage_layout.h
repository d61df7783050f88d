#ifndef SYNCLINE_COMMON_CLUSTER_STAGE_LAYOUT_H_
#define SYNCLINE_COMMON_CLUSTER_STAGE_LAYOUT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace syncline {

// Which layers of a model are on which stage of a pipeline. Pure functions.

// Layers [begin, end), by their places in the manifest.
struct LayerRange {
  int begin = 0;
  int end = 0;
};

// Reads "0-3, 4-7" (one layer: "8"). INVALID_ARGUMENT unless these are `stages` runs that follow each
// other from 0 to the last of `layers`.
absl::StatusOr<std::vector<LayerRange>> ParseStageLayers(absl::string_view text, int stages,
                                                          int layers);
// The other way round.
std::string StageLayersText(absl::Span<const LayerRange> stages);

// Cuts layers, whose costs are given, into `stages` runs such that the costliest run costs as little as
// can be; of equals, the one with earlier stages smaller. Each run has a layer with `needed`, which at
// least that many layers must have (otherwise INVALID_ARGUMENT).
absl::StatusOr<std::vector<LayerRange>> BalanceStages(absl::Span<const double> costs,
                                                       const std::vector<bool>& needed, int stages);

// The share of its time that each stage of a pipeline waits, if all take equally long for a micro-batch and messages
// take no time: (S - 1) / (M + S - 1), by GPipe and by 1F1B.
inline double BubbleShare(int stages, int micro_batches) {
  return static_cast<double>(stages - 1) / (micro_batches + stages - 1);
}

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CLUSTER_STAGE_LAYOUT_H_
