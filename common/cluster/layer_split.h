#ifndef SYNCLINE_COMMON_CLUSTER_LAYER_SPLIT_H_
#define SYNCLINE_COMMON_CLUSTER_LAYER_SPLIT_H_

#include <cstdint>
#include <vector>

#include "google/protobuf/repeated_field.h"
#include "proto/job.pb.h"

namespace syncline {

// How the layers of a stage are split over the workers that share it (tensor parallelism). Pure functions.

// Of `total` things in a row, those [begin, end) that part `part` of `parts` has: as even as can be.
struct PartRange {
  int64_t begin = 0;
  int64_t end = 0;
};
inline PartRange PartOf(int64_t total, int part, int parts) {
  return {total * part / parts, total * (part + 1) / parts};
}

// What leaves the columns of an activation to themselves: a layer that is split by columns may be followed by some of
// these before one that is split by rows, and nothing needs to be gathered in between.
bool KeepsColumnsApart(const Layer& layer);

// How many parts a layer can be split into at most, in the way that `split` says, where it gets `width` columns.
int MostParts(const Layer& layer, LayerSplit split, int width);

// COLUMNS, ROWS, HEADS or NONE for each layer of one list (of what lies within a residual there is another) that
// begins with `width` columns. What a layer says itself holds; SPLIT_AUTO says what becomes of the others.
std::vector<LayerSplit> PlanSplits(const google::protobuf::RepeatedPtrField<Layer>& layers, int width, int parts);

// The width that comes out of a layer, of one that goes in.
int WidthAfter(const Layer& layer, int width);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CLUSTER_LAYER_SPLIT_H_
