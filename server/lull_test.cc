#include "server/lull.h"

#include <thread>

#include "absl/time/clock.h"
#include "common/time/steady_now.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

constexpr absl::Duration kCalm = absl::Milliseconds(20);
constexpr absl::Duration kLong = absl::Seconds(20);

absl::Duration Waited(Lull* lull, uint64_t ended, absl::Duration longest) {
  const absl::Time begin = SteadyNow();
  lull->Await(ended, kCalm, longest);
  return SteadyNow() - begin;
}

TEST(LullTest, ComesWhenWhatBeganHasEndedAndNothingFollowed) {
  Lull lull;
  const uint64_t before = lull.ended();
  lull.Begin();
  absl::Time ended;
  std::thread urgent([&] {
    absl::SleepFor(absl::Milliseconds(30));
    lull.Begin();
    lull.End();
    absl::SleepFor(absl::Milliseconds(30));
    ended = SteadyNow();
    lull.End();
  });
  lull.Await(before, kCalm, kLong);
  const absl::Time calm = SteadyNow();
  urgent.join();
  EXPECT_GE(calm - ended, kCalm);
}

TEST(LullTest, OneThatEndedBeforeDoesNotCount) {
  Lull lull;
  lull.Begin();
  lull.End();
  EXPECT_GE(Waited(&lull, lull.ended(), absl::Milliseconds(50)), absl::Milliseconds(50));
  EXPECT_LT(Waited(&lull, 0, kLong), kLong / 2);
}

TEST(LullTest, IsNotWaitedForLongerThanAsked) {
  Lull lull;
  lull.Begin();
  EXPECT_GE(Waited(&lull, 0, absl::Milliseconds(50)), absl::Milliseconds(50));
  EXPECT_LT(Waited(&lull, 0, absl::Milliseconds(50)), kLong / 2);
}

}  // namespace
}  // namespace syncline
