#include "server/store/update_times.h"

#include <vector>

#include "common/status/status_matchers.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(UpdateTimesTest, SaysWhichUpdateIsOldEnough) {
  UpdateTimes times(320);
  EXPECT_EQ(times.Expired(1000), 0u);
  times.Note(5, 0);
  times.Note(9, 100);
  times.Note(20, 300);
  EXPECT_EQ(times.Expired(319), 0u);
  EXPECT_EQ(times.Expired(320), 5u);
  EXPECT_EQ(times.Expired(419), 5u);
  EXPECT_EQ(times.Expired(420), 9u);
  EXPECT_EQ(times.Expired(10000), 20u);
}

TEST(UpdateTimesTest, NoUpdateExpiresBeforeItsTimeNorMuchAfter) {
  UpdateTimes times(320);
  // One a second.
  for (uint64_t second = 1; second < 2000; ++second) {
    times.Note(second, static_cast<double>(second));
    const uint64_t expired = times.Expired(static_cast<double>(second));
    EXPECT_LE(expired, second < 320 ? 0 : second - 320);
    EXPECT_GE(expired + 331, second);
  }
}

TEST(UpdateTimesTest, WhatCameBeforeAStandstillIsAsOldAsItIs) {
  UpdateTimes times(320);
  times.Note(5, 0);
  times.Note(5, 500);
  EXPECT_EQ(times.Expired(500), 5u);
}

TEST(UpdateTimesTest, WhatCameBeforeAStandstillDoesNotWaitForWhatCameAfter) {
  UpdateTimes times(320);
  for (uint64_t version = 1; version <= 64; ++version) times.Note(version, 0);
  times.Note(65, 200);
  EXPECT_EQ(times.Expired(320), 64u);
  EXPECT_EQ(times.Expired(520), 65u);
}

TEST(UpdateTimesTest, RemembersFewUpdates) {
  UpdateTimes times(320);
  for (uint64_t version = 1; version < 10000; ++version) times.Note(version, static_cast<double>(version) * 0.03);
  EXPECT_LE(times.State(300).size(), 66 * 16u);
}

TEST(UpdateTimesTest, AgesGoOnInAnotherProcess) {
  UpdateTimes times(320), other(320), stale(320);
  times.Note(5, 1000);
  times.Note(9, 1100);
  stale.Note(7, -1000);
  ASSERT_TRUE(other.Restore(times.State(1200), 50).ok());
  EXPECT_EQ(other.Expired(169), 0u);
  EXPECT_EQ(other.Expired(170), 5u);
  EXPECT_EQ(other.Expired(270), 9u);
  ASSERT_TRUE(stale.Restore(UpdateTimes(1).State(7), 0).ok());
  EXPECT_EQ(stale.Expired(10000), 0u);
}

TEST(UpdateTimesTest, RefusesWhatIsNoAge) {
  UpdateTimes times(1);
  times.Note(5, 0);
  const std::vector<uint64_t> wrong = {0, 6, 0, 6};
  EXPECT_EQ(times.Restore(Fragments::Of(wrong.data(), 15), 0).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(times.Restore(Fragments::Of(wrong.data(), 32), 0).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(times.Expired(1), 5u);
}

}  // namespace
}  // namespace syncline
