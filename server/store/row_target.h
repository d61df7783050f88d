#ifndef SYNCLINE_SERVER_STORE_ROW_TARGET_H_
#define SYNCLINE_SERVER_STORE_ROW_TARGET_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace syncline {

// Where rows that are read go: the i-th of them to place i, or to the one that `places` says. A value; the memory is
// its user's.
struct RowTarget {
  float* to = nullptr;
  const uint32_t* places = nullptr;  // null: in order
  size_t room = 0;                   // with `places`: how many there are from `to` on

  // Whether the places of `rows` rows are there.
  bool Fits(size_t rows) const {
    if (places == nullptr || rows == 0) return true;
    return *std::max_element(places, places + rows) < room;
  }
  // Of row i of `width` floats. `places` may lie in memory that somebody else writes to, so it is looked at once, and
  // never leads out of the room.
  float* At(size_t i, size_t width) const {
    if (places == nullptr) return to + i * width;
    const size_t place = __atomic_load_n(places + i, __ATOMIC_RELAXED);
    return to + std::min(place, room - 1) * width;
  }
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_ROW_TARGET_H_
