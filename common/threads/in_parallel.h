#ifndef SYNCLINE_COMMON_THREADS_IN_PARALLEL_H_
#define SYNCLINE_COMMON_THREADS_IN_PARALLEL_H_

#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace syncline {

// Runs body(0) … body(count - 1), each on a thread of its own: for bodies that wait for the network, not for a core.
inline void InParallel(size_t count, const std::function<void(size_t)>& body) {
  std::vector<std::thread> threads;
  for (size_t i = 1; i < count; ++i) threads.emplace_back([&body, i] { body(i); });
  if (count > 0) body(0);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace syncline

#endif  // SYNCLINE_COMMON_THREADS_IN_PARALLEL_H_
