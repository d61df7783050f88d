// Promise 5 with two replicas while chunks and copies move: a shard dies at every point of a change of the shard
// map, and nothing that was acknowledged is lost.

#include <signal.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/integration/ones.h"
#include "tests/integration/process_cluster.h"

namespace syncline {
namespace {

struct Case {
  enum Role { kJoins, kStays, kLeaves };
  Role victim;
  std::string dies;
};

std::string NameOf(const testing::TestParamInfo<Case>& info) {
  std::string name = info.param.dies;
  std::replace(name.begin(), name.end(), '.', '_');
  return std::string(std::vector<const char*>{"Joins_", "Stays_", "Leaves_"}[info.param.victim]) + name;
}

// Three shards, of which ps-1 may die, and whatever makes the map change. Returns the one that dies and how
// many shards are left.
std::pair<std::string, int> StartShards(ProcessCluster& cluster, const Case& c) {
  cluster.StartShard("ps-0");
  cluster.StartShard("ps-1", c.victim == Case::kStays ? c.dies : "");
  // The one that comes last leaves first.
  SYNCLINE_EXPECT_OK(cluster.WaitUntil([](const ClusterStatusReply& status) {
    return status.waiting_for().find("2 of 3 have registered") != std::string::npos;
  }));
  cluster.StartShard("ps-2", c.victim == Case::kLeaves ? c.dies : "");
  if (c.victim == Case::kLeaves) return {"ps-2", 2};
  return {c.victim == Case::kJoins ? "ps-3" : "ps-1", 3};
}

void BeginChange(ProcessCluster& cluster, const Case& c) {
  cluster.Scale(c.victim == Case::kLeaves ? 2 : 4);
  if (c.victim != Case::kLeaves) cluster.StartShard("ps-3", c.victim == Case::kJoins ? c.dies : "");
}

void ExpectTakenOver(ProcessCluster& cluster, const std::pair<std::string, int>& expected) {
  ChildProcess& victim = cluster.process(expected.first);
  ASSERT_TRUE(victim.WaitFor(absl::Seconds(20))) << "it never came to where it was to die";
  EXPECT_EQ(victim.Poll(), 128 + SIGKILL);
  SYNCLINE_EXPECT_OK(cluster.WaitUntil([&](const ClusterStatusReply& status) {
    return status.map().shards_size() == expected.second && !status.rescale().moving() &&
           status.waiting_for().empty();
  })) << cluster.Logs();
  EXPECT_EQ(cluster.Status().map().epoch() >> 32, 0u) << "the job began anew";
}

JobManifest Job() {
  JobManifest job = SmallJob(40, 300, 4000);
  job.set_workers(2);
  job.set_shards(3);
  job.set_replicas(2);
  job.mutable_checkpoint()->set_keep(1);
  return job;
}

class LossWhileRescaling : public testing::TestWithParam<Case> {
 protected:
  static const Weights& Undisturbed() {
    static const Weights* const weights = [] {
      JobManifest job = Job();
      job.set_replicas(1);
      return new Weights(TrainedWeights(job));
    }();
    return *weights;
  }
};

TEST_P(LossWhileRescaling, SyncIsTheUndisturbedRunToTheBit) {
  const Weights& undisturbed = Undisturbed();
  ProcessCluster cluster(Job(), absl::Seconds(1));
  const auto expected = StartShards(cluster, GetParam());
  for (const char* name : {"worker-0", "worker-1"}) cluster.StartWorker(name, "5ms");
  SYNCLINE_ASSERT_OK(cluster.WaitForStep(20)) << cluster.Logs();
  BeginChange(cluster, GetParam());
  ExpectTakenOver(cluster, expected);
  EXPECT_EQ(cluster.FinishedWeights(), undisturbed);
}

TEST_P(LossWhileRescaling, EveryAcknowledgedAsyncPushCountsOnce) {
  JobManifest job = OnesJob(ASYNC);
  job.set_shards(3);
  job.set_replicas(2);
  ProcessCluster cluster(job, absl::Seconds(1));
  const auto expected = StartShards(cluster, GetParam());
  Ones ones(cluster, 2);
  ones.Begin(1000);
  SYNCLINE_EXPECT_OK(cluster.WaitUntil([](const auto& status) { return status.step() > 20; }));
  BeginChange(cluster, GetParam());
  ExpectTakenOver(cluster, expected);
  if (GetParam().victim == Case::kJoins) {
    // Nobody goes on handing chunks over to the one that is lost.
    cluster.StartShard("ps-4");
    SYNCLINE_EXPECT_OK(cluster.WaitForShards(4)) << cluster.Logs();
  }
  ones.ExpectAllCount();
}

INSTANTIATE_TEST_SUITE_P(
    Points, LossWhileRescaling,
    testing::Values(Case{Case::kJoins, "after.PREPARE"}, Case{Case::kJoins, "before.CONFIRM"},
                    Case{Case::kJoins, "after.CONFIRM"}, Case{Case::kJoins, "chunks.arrived"},
                    Case{Case::kJoins, "copies.kept"}, Case{Case::kJoins, "before.FINISH"},
                    Case{Case::kJoins, "after.FINISH"}, Case{Case::kStays, "after.PREPARE"},
                    Case{Case::kStays, "before.CONFIRM"}, Case{Case::kStays, "after.CONFIRM"},
                    Case{Case::kStays, "chunks.leave"}, Case{Case::kStays, "before.FINISH"},
                    Case{Case::kStays, "after.FINISH"}, Case{Case::kLeaves, "after.CONFIRM"},
                    Case{Case::kLeaves, "chunks.leave"}, Case{Case::kLeaves, "before.FINISH"}),
    NameOf);

}  // namespace
}  // namespace syncline
