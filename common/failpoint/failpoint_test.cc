#include "common/failpoint/failpoint.h"

#include <signal.h>
#include <stdlib.h>

#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(FailpointTest, WithoutTheVariableNothingHappens) {
  EXPECT_FALSE(FailpointSet());
  Failpoint("here");
}

TEST(FailpointDeathTest, TheProcessDiesWhenItComesThereForTheNthTime) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";  // in a process that has not looked yet
  setenv("SYNCLINE_FAILPOINT", "here=2", 1);
  const auto come = [](int times) {
    Failpoint("elsewhere");
    for (int i = 0; i < times; ++i) Failpoint("here");
    exit(FailpointSet() ? 7 : 1);
  };
  EXPECT_EXIT(come(1), testing::ExitedWithCode(7), "");
  EXPECT_EXIT(come(2), testing::KilledBySignal(SIGKILL), "");
  unsetenv("SYNCLINE_FAILPOINT");
}

}  // namespace
}  // namespace syncline
