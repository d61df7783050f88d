#include "server/store/page_cleaning.h"

#include <algorithm>

namespace syncline {
namespace {

// Which `count` of the values are the least.
std::vector<bool> Least(const std::vector<float>& values, size_t count) {
  if (count >= values.size()) return std::vector<bool>(values.size(), true);
  std::vector<bool> least(values.size());
  if (count == 0) return least;
  std::vector<float> sorted = values;
  const auto last = sorted.begin() + static_cast<ptrdiff_t>(count) - 1;
  std::nth_element(sorted.begin(), last, sorted.end());
  const float limit = *last;
  auto equal = count - static_cast<size_t>(
                           std::count_if(sorted.begin(), last, [limit](float value) { return value < limit; }));
  for (size_t i = 0; i < values.size(); ++i) {
    least[i] = values[i] < limit || (values[i] == limit && equal > 0 && equal-- > 0);
  }
  return least;
}

}  // namespace

PageCleaning CleanPages(absl::Span<const PageOfRows> pages, const std::vector<float>& worths, size_t most) {
  PageCleaning cleaning;
  size_t largest = 0, leaving = 0;
  for (const PageOfRows& page : pages) {
    largest = std::max(largest, page.end - page.begin);
    leaving += !page.stays;
  }
  leaving = std::min(leaving, most);
  const std::vector<bool> cold = Least(worths, leaving * largest);
  // Those that need the fewest moves.
  std::vector<float> hot(pages.size());
  for (size_t p = 0; p < pages.size(); ++p) {
    for (size_t row = pages[p].begin; row < pages[p].end; ++row) hot[p] += !cold[row];
    if (pages[p].stays) hot[p] = static_cast<float>(largest) + 1;
  }
  const std::vector<bool> leaves = Least(hot, leaving);
  std::vector<size_t> hot_inside, cold_outside;
  for (size_t p = 0; p < pages.size(); ++p) {
    if (leaves[p]) cleaning.leaving.push_back(p);
    for (size_t row = pages[p].begin; row < pages[p].end; ++row) {
      if (leaves[p] && !cold[row]) hot_inside.push_back(row);
      if (!leaves[p] && cold[row]) cold_outside.push_back(row);
    }
  }
  for (size_t i = 0; i < std::min(hot_inside.size(), cold_outside.size()); ++i) {
    cleaning.exchanged.emplace_back(hot_inside[i], cold_outside[i]);
  }
  return cleaning;
}

}  // namespace syncline
