#include "worker/allreduce/hierarchical_plan.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "worker/allreduce/plan_processes.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;

TEST(HostGroupsTest, HostsComeInTheOrderOfTheirFirstProcess) {
  const HostGroups groups = GroupByHost({{"b", "a", "b", "a", "b"}});
  EXPECT_THAT(groups.hosts, ElementsAre(ElementsAre(0, 2, 4), ElementsAre(1, 3)));
  EXPECT_EQ(groups.lanes, 2u);
  EXPECT_THAT(groups.owners(), ElementsAre(0, 2, 1, 3));
}

TEST(HostGroupsTest, WhoDoesNotSayIsAlone) {
  EXPECT_THAT(GroupByHost({{"", "a", "", "a"}}).hosts, ElementsAre(ElementsAre(0), ElementsAre(1, 3), ElementsAre(2)));
  EXPECT_EQ(GroupByHost({{"", "a", "", "a"}}).lanes, 1u);
}

TEST(HostGroupsTest, OrderDependsOnHowManyAreOnEachHost) {
  std::vector<uint32_t> places = {0, 1, 2, 3, 5, 7};
  std::vector<std::string> hosts = {"b", "a", "c", "a", "b", "a"};
  SortByHost(&places, &hosts);
  EXPECT_THAT(places, ElementsAre(1, 3, 7, 0, 5, 2));
  EXPECT_THAT(hosts, ElementsAre("a", "a", "a", "b", "b", "c"));
}

using Hosts = std::vector<std::string>;

class HierarchicalPlanTest : public ::testing::TestWithParam<Hosts> {
 protected:
  static constexpr size_t kFloats = 700000;
  const HostGroups groups_ = GroupByHost(GetParam());
  const size_t n_ = GetParam().size();
  const std::vector<size_t> owners_ = groups_.owners();
  const size_t run_ = kFloats / 11;
  size_t OwnerOf(size_t i) const { return owners_[i / run_ % owners_.size()]; }
  std::vector<size_t> OnOtherHosts(size_t p) const {
    std::vector<size_t> others;
    for (size_t q = 0; q < n_; ++q) {
      if (GetParam()[q] != GetParam()[p]) others.push_back(q);
    }
    return others;
  }
};

INSTANTIATE_TEST_SUITE_P(AllKinds, HierarchicalPlanTest,
                         ::testing::Values(Hosts{"a"}, Hosts{"a", "a", "a"}, Hosts{"a", "b"}, Hosts{"a", "a", "b", "b"},
                                           Hosts{"a", "b", "a", "c", "b", "a", "c"},
                                           Hosts{"a", "a", "a", "a", "b"}));

TEST_P(HierarchicalPlanTest, EachOwnerHasTheSumOfItsSegment) {
  for (const Codec codec : {CODEC_NONE, BF16}) {
    PlanProcesses processes(n_, kFloats);
    const auto before = processes.vectors;
    std::vector<CollectivePlan> plans;
    for (size_t p = 0; p < n_; ++p) {
      plans.push_back(PlanReduceScatter(groups_, processes.Segments(p, owners_, run_, true, codec), p));
    }
    processes.Run(plans);
    for (size_t i = 0; i < kFloats; ++i) {
      double sum = 0;
      for (const auto& vector : before) sum += vector[i];
      ASSERT_NEAR(processes.sums[OwnerOf(i)][i], sum, 1e-6 * sum) << i;
    }
  }
}

TEST_P(HierarchicalPlanTest, EachProcessGetsAllSegments) {
  PlanProcesses processes(n_, kFloats);
  const auto before = processes.vectors;
  std::vector<CollectivePlan> plans;
  for (size_t p = 0; p < n_; ++p) {
    plans.push_back(PlanAllGather(groups_, processes.Segments(p, owners_, run_, false), p));
  }
  processes.Run(plans);
  for (size_t i = 0; i < kFloats; ++i) {
    for (size_t p = 0; p < n_; ++p) ASSERT_EQ(processes.vectors[p][i], before[OwnerOf(i)][i]) << p << " " << i;
  }
}

// All hosts but one send their sum, in parts, once: no process more.
TEST_P(HierarchicalPlanTest, HostsSendEachOtherAsMuchAsOneProcessEach) {
  PlanProcesses processes(n_, kFloats);
  size_t sums = 0, weights = 0, coded = 0;
  for (size_t p = 0; p < n_; ++p) {
    const auto others = OnOtherHosts(p);
    sums += SentBytes(PlanReduceScatter(groups_, processes.Segments(p, owners_, run_, true), p), others);
    weights += SentBytes(PlanAllGather(groups_, processes.Segments(p, owners_, run_, false), p), others);
    coded += CodedBytes(PlanReduceScatter(groups_, processes.Segments(p, owners_, run_, true, FP16), p));
  }
  const size_t hosts = groups_.hosts.size();
  EXPECT_EQ(sums, (hosts - 1) * kFloats * sizeof(float));
  EXPECT_EQ(weights, sums);
  EXPECT_EQ(coded, sums / 2) << "what stays on a host is not coded";
}

TEST_P(HierarchicalPlanTest, EachByItselfIsASumAmongAll) {
  PlanProcesses processes(n_, kFloats);
  const HostGroups each = EachByItself(n_);
  EXPECT_EQ(each.hosts.size(), n_);
  for (size_t p = 0; p < n_; ++p) {
    const FloatSegments segments = processes.Segments(p, run_, true);
    const CollectivePlan plan = PlanReduceScatter(each, segments, p), plain = PlanReduceScatter(segments, p);
    ASSERT_EQ(plan.size(), plain.size());
    for (size_t a = 0; a < plan.size(); ++a) {
      EXPECT_EQ(plan[a].kind, plain[a].kind);
      EXPECT_EQ(plan[a].peer, plain[a].peer);
      EXPECT_EQ(plan[a].runs.front().data, plain[a].runs.front().data);
      EXPECT_EQ(plan[a].runs.back().sum, plain[a].runs.back().sum);
    }
  }
}

}  // namespace
}  // namespace syncline
