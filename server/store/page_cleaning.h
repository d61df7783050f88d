#ifndef SYNCLINE_SERVER_STORE_PAGE_CLEANING_H_
#define SYNCLINE_SERVER_STORE_PAGE_CLEANING_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"

namespace syncline {

// What a row is worth in memory, from how many updates it had and how many came to its slot since the last of them: how
// often it comes, by all it had and by the last, multiplied. Counts alone would keep for ever what came often once
// (hyperbolic caching, Blankstein et al. 2017, divides by time for that).
inline float RowWorth(uint32_t updates, uint32_t age) {
  return static_cast<float>(updates) * (static_cast<float>(updates) / (static_cast<float>(age) + 1));
}

// Rows of some pages, and what they are worth.
struct PageOfRows {
  size_t begin = 0, end = 0;  // of the rows, which are numbered through all pages
  bool stays = false;
};

// How pages are made of cold rows alone, so that those can leave memory: segments are cleaned so that hot and cold data
// do not lie together (Rosenblum and Ousterhout 1992), here by as few moves as will do.
struct PageCleaning {
  std::vector<size_t> leaving;                       // pages
  std::vector<std::pair<size_t, size_t>> exchanged;  // rows that change places, one of a page that leaves first
};

// At most `most` of the pages leave, with the least of all rows; of equal rows those that come first.
PageCleaning CleanPages(absl::Span<const PageOfRows> pages, const std::vector<float>& worths, size_t most);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_PAGE_CLEANING_H_
