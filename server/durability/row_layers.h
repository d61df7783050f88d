#ifndef SYNCLINE_SERVER_DURABILITY_ROW_LAYERS_H_
#define SYNCLINE_SERVER_DURABILITY_ROW_LAYERS_H_

#include <cstddef>
#include <vector>

#include "common/tensor/fragments.h"

namespace syncline {

// What one layer has of a table's slot: first the rows of the keys in `erased` (8 bytes each) go, then `rows` take the
// places of those of their keys, or come.
struct RowLayer {
  Fragments rows;
  Fragments erased;
};

// The rows of a slot that is the layers one upon the other, the newest given first; nothing is copied, and the layers'
// memory lives as long as what is returned. `stride` bytes a row; none is split over pieces.
Fragments MergeRowLayers(std::vector<RowLayer> newest_first, size_t stride);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_DURABILITY_ROW_LAYERS_H_
