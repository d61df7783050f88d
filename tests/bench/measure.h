#ifndef SYNCLINE_TESTS_BENCH_MEASURE_H_
#define SYNCLINE_TESTS_BENCH_MEASURE_H_

#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

namespace syncline {

// How long `body` takes.
inline double Seconds(const std::function<void()>& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  return taken.count();
}

// The middle one of `values`, of which there is at least one.
inline double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace syncline

#endif  // SYNCLINE_TESTS_BENCH_MEASURE_H_
