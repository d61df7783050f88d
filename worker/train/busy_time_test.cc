#include "worker/train/busy_time.h"

#include "gtest/gtest.h"

namespace syncline {
namespace {

absl::Time At(int second) { return absl::UnixEpoch() + absl::Seconds(second); }

TEST(BusyTimeTest, CountsWhatOverlapsOnce) {
  BusyTime busy;
  EXPECT_EQ(busy.Until(At(5)), absl::ZeroDuration());
  busy.Begin(At(10));
  busy.Begin(At(12));
  busy.End(At(13));
  EXPECT_EQ(busy.Until(At(14)), absl::Seconds(4));
  busy.End(At(16));
  EXPECT_EQ(busy.Until(At(20)), absl::Seconds(6));
  busy.Begin(At(20));
  busy.End(At(21));
  EXPECT_EQ(busy.Until(At(30)), absl::Seconds(7));
}

}  // namespace
}  // namespace syncline
