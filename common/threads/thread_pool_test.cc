#include "common/threads/thread_pool.h"

#include <atomic>
#include <numeric>
#include <thread>
#include <vector>

#include "absl/synchronization/barrier.h"
#include "common/threads/parallel_for.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(ThreadPoolTest, DoesEachOnceWhateverTheNumberOfHelpers) {
  for (const int helpers : {0, 1, 7}) {
    ThreadPool pool(helpers);
    for (const size_t count : {0u, 1u, 2u, 100u}) {
      std::vector<std::atomic<int>> done(count);
      pool.For(count, [&](size_t i) { ++done[i]; });
      for (const auto& times : done) EXPECT_EQ(times, 1);
    }
  }
}

TEST(ThreadPoolTest, HelpersWorkBesideTheCaller) {
  ThreadPool pool(2);
  absl::Barrier* const met = new absl::Barrier(3);  // would wait for ever on fewer threads
  pool.For(3, [met](size_t) {
    if (met->Block()) delete met;
  });
}

TEST(ThreadPoolTest, SeveralCallersShareTheHelpers) {
  ThreadPool pool(2);
  std::atomic<size_t> sum{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) pool.For(10, [&](size_t i) { sum += i; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sum, 4u * 50u * 45u);
}

TEST(ThreadPoolTest, ABodyMayCallItAgain) {
  ThreadPool pool(1);
  std::atomic<int> done{0};
  pool.For(3, [&](size_t) { pool.For(3, [&](size_t) { ++done; }); });
  EXPECT_EQ(done, 9);
}

TEST(ParallelForTest, LittleWorkStaysInThisThread) {
  int spread = 0;
  const ParallelFor count_calls = [&](size_t count, const std::function<void(size_t)>& body) {
    ++spread;
    for (size_t i = 0; i < count; ++i) body(i);
  };
  int done = 0;
  const auto body = [&](size_t) { ++done; };
  ForEachOf(count_calls, kBytesWorthThreads - 1, 3, body);
  ForEachOf(count_calls, kBytesWorthThreads, 1, body);
  EXPECT_EQ(spread, 0);
  ForEachOf(count_calls, kBytesWorthThreads, 3, body);
  EXPECT_EQ(spread, 1);
  ForEachOf(nullptr, kBytesWorthThreads, 3, body);
  EXPECT_EQ(done, 10);
}

}  // namespace
}  // namespace syncline
