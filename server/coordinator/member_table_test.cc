#include "server/coordinator/member_table.h"

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr absl::Time kStart = absl::UnixEpoch();

TEST(MemberTableTest, TheLowestFreeRankAndAHigherIncarnation) {
  MemberTable table;
  EXPECT_EQ(table.Join("a", kStart), 0u);
  EXPECT_EQ(table.Join("b", kStart), 1u);
  table.Remove(0);
  EXPECT_EQ(table.Join("c", kStart), 0u);
  EXPECT_EQ(table.at(0).incarnation, 2u);
  EXPECT_THAT(table.Check(0, 1), StatusIs(absl::StatusCode::kFailedPrecondition,
                                          HasSubstr("join again")));
  SYNCLINE_EXPECT_OK(table.Check(0, 2));
  EXPECT_FALSE(table.Check(7, 1).ok());
  EXPECT_THAT(table.NextIncarnations(), ElementsAre(3, 2));
}

TEST(MemberTableTest, SilenceIsMeasuredFromTheLastWord) {
  MemberTable table;
  table.Join("a", kStart);
  table.Join("b", kStart);
  table.Touch(1, kStart + absl::Seconds(3));
  EXPECT_THAT(table.SilentSince(kStart + absl::Seconds(1)), ElementsAre(0));
  EXPECT_THAT(table.Live(), ElementsAre(0, 1));
}

TEST(MemberTableTest, SamplesOfTheDepartedStillCount) {
  MemberTable table;
  table.Join("a", kStart);
  WorkerProgress progress;
  progress.set_samples(10);
  progress.set_loss_sum(5);
  table.Report(0, progress);
  progress.set_samples(4);  // older than what is known
  table.Report(0, progress);
  table.Remove(0);
  EXPECT_EQ(table.trained().samples, 10u);
  table.Join("b", kStart);
  table.Report(0, progress);
  EXPECT_EQ(table.trained().samples, 14u);
  EXPECT_EQ(table.trained().loss, 10);
}

}  // namespace
}  // namespace syncline
