#include "common/time/steady_condition.h"

#include <thread>

#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(SteadyConditionTest, WaitsForWhatSomebodyElseDoes) {
  absl::Mutex mu;
  SteadyCondition changed;
  bool done = false;
  std::thread other([&] {
    absl::MutexLock lock(&mu);
    done = true;
    changed.NotifyAll();
  });
  {
    absl::MutexLock lock(&mu);
    EXPECT_TRUE(changed.WaitFor(&mu, absl::Minutes(1), [&] { return done; }));
  }
  other.join();
}

TEST(SteadyConditionTest, GivesUpInTime) {
  absl::Mutex mu;
  SteadyCondition changed;
  absl::MutexLock lock(&mu);
  EXPECT_FALSE(changed.WaitFor(&mu, absl::Milliseconds(1), [] { return false; }));
  EXPECT_TRUE(changed.WaitFor(&mu, absl::ZeroDuration(), [] { return true; }));
}

}  // namespace
}  // namespace syncline
