#ifndef SYNCLINE_COMMON_THREADS_PARALLEL_FOR_H_
#define SYNCLINE_COMMON_THREADS_PARALLEL_FOR_H_

#include <cstddef>
#include <functional>

namespace syncline {

// Runs body(0) … body(count - 1), in any order and on any threads, and returns when all are done.
using ParallelFor = std::function<void(size_t count, const std::function<void(size_t)>& body)>;

// Below this, handing work to other threads costs more than it saves.
constexpr size_t kBytesWorthThreads = size_t{4} << 20;

// Spreads the bodies over threads if they go over enough bytes together, and over none if `spread`
// is null.
inline void ForEachOf(const ParallelFor& spread, size_t bytes, size_t count,
                      const std::function<void(size_t)>& body) {
  if (spread != nullptr && count > 1 && bytes >= kBytesWorthThreads) return spread(count, body);
  for (size_t i = 0; i < count; ++i) body(i);
}

}  // namespace syncline

#endif  // SYNCLINE_COMMON_THREADS_PARALLEL_FOR_H_
