#include "worker/local/host_group.h"

#include <atomic>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(HostGroupTest, NamesTellJobsAndCoordinatorsApart) {
  const std::string name = HostGroupName("a", "h:1", "");
  EXPECT_EQ(name, HostGroupName("a", "h:1", ""));
  EXPECT_NE(name, HostGroupName("b", "h:1", ""));
  EXPECT_NE(name, HostGroupName("a", "h:2", ""));
  EXPECT_NE(name, HostGroupName("a", "h:1", "x"));
  EXPECT_LT(HostGroupName(std::string(63, 'a'), std::string(300, 'h'), "").size(), 100u);
}

TEST(HostGroupTest, OneLeadsAndTheNextTakesOver) {
  const std::string name = HostGroupName(RandomToken(8), "h:1", "");
  auto first = JoinHostGroup(name, nullptr);
  ASSERT_TRUE(first.ok() && first->leads);
  const auto second = JoinHostGroup(name, nullptr);
  ASSERT_TRUE(second.ok() && !second->leads);
  first->socket = LocalSocket();
  const auto third = JoinHostGroup(name, nullptr);
  ASSERT_TRUE(third.ok());
  EXPECT_TRUE(third->leads);
}

TEST(HostGroupTest, StopEndsTheElection) {
  EXPECT_TRUE(absl::IsCancelled(JoinHostGroup("syncline-test", [] { return true; }).status()));
}

std::vector<uint64_t> Counts(const std::vector<HostPart>& parts) {
  std::vector<uint64_t> counts;
  uint64_t next = 0;
  for (const HostPart& part : parts) {
    EXPECT_EQ(part.first, next);
    next += part.count;
    counts.push_back(part.count);
  }
  return counts;
}

TEST(CutStepTest, Evenly) {
  using testing::ElementsAre;
  EXPECT_THAT(Counts(CutStep(32, 8, 4)), ElementsAre(8, 8, 8, 8));
  EXPECT_THAT(Counts(CutStep(10, 8, 4)), ElementsAre(2, 3, 2, 3));
  EXPECT_THAT(Counts(CutStep(3, 8, 4)), ElementsAre(1, 1, 1));
  // One process is lost, the step was planned with it: the same parts.
  EXPECT_THAT(Counts(CutStep(32, 8, 3)), ElementsAre(8, 8, 8, 8));
  EXPECT_THAT(Counts(CutStep(8, 8, 1)), ElementsAre(8));
}

}  // namespace
}  // namespace syncline
