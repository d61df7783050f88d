// Promise 1 end to end: how stale reads really are, with a worker that is slowed.

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/integration/in_process_cluster.h"

namespace syncline {
namespace {

// Runs a job with three workers, one of them slowed, and two shards; returns the last status.
ClusterStatusReply RunWithASlowWorker(JobManifest job) {
  job.set_workers(3);
  job.set_shards(2);
  InProcessCluster cluster(job);
  cluster.StartWorker();
  cluster.StartWorker();
  cluster.StartWorker(absl::Milliseconds(10));
  return cluster.Finish();
}

ClusterStatusReply RunWithASlowWorker(SyncMode mode, uint32_t staleness) {
  JobManifest job = SmallJob(40, 60, 600);
  job.mutable_optimizer()->set_learning_rate(0.001);  // stale gradients diverge at higher rates
  job.set_sync_mode(mode);
  if (mode == BOUNDED) job.set_staleness(staleness);
  const ClusterStatusReply status = RunWithASlowWorker(job);
  EXPECT_EQ(status.samples_total(), 1200u) << "each sample once an epoch";
  return status;
}

std::string Histogram(const google::protobuf::RepeatedField<uint64_t>& counts) {
  std::string text;
  for (int i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) absl::StrAppend(&text, " ", i, ":", counts[i]);
  }
  return text;
}

// The highest value seen on any shard; prints all of them.
int Highest(const ClusterStatusReply& status, bool versions) {
  int highest = 0;
  for (const ShardStatusReply& shard : status.shards()) {
    const auto& counts = versions ? shard.version_staleness() : shard.clock_staleness();
    std::printf("  shard %u, %s:%s\n", shard.shard(),
                versions ? "updates a push had not seen" : "clocks ahead of the slowest at a pull",
                Histogram(counts).c_str());
    for (int i = 0; i < counts.size(); ++i) {
      if (counts[i] > 0) highest = std::max(highest, i);
    }
  }
  return highest;
}

TEST(StalenessTest, BoundedNeverExceedsItsBoundAndUsesIt) {
  for (const uint32_t staleness : {0, 1, 3}) {
    std::printf("bounded, staleness %u\n", staleness);
    const ClusterStatusReply status = RunWithASlowWorker(BOUNDED, staleness);
    EXPECT_EQ(Highest(status, false), static_cast<int>(staleness));
    Highest(status, true);
  }
}

TEST(StalenessTest, AsyncIsReallyStaleWithASlowWorker) {
  std::printf("async\n");
  const ClusterStatusReply status = RunWithASlowWorker(ASYNC, 0);
  EXPECT_GT(Highest(status, true), 0);
  EXPECT_GT(Highest(status, false), 3) << "the fast ones do not wait for the slow one";
}

TEST(StalenessTest, SyncIsNot) {
  std::printf("sync\n");
  const ClusterStatusReply status = RunWithASlowWorker(SYNC, 0);
  EXPECT_EQ(Highest(status, true), 0);
  EXPECT_EQ(Highest(status, false), 0);
}

TEST(StalenessTest, ABackupWorkerIsLeftBehind) {
  JobManifest job = SmallJob(40, 60, 600);
  job.set_backup_workers(1);
  const ClusterStatusReply status = RunWithASlowWorker(job);
  EXPECT_EQ(status.shards(0).step(), 50u);
  EXPECT_EQ(status.shards(1).step(), 50u);
  EXPECT_LT(status.samples_total(), 1200u) << "some of the slow worker's steps were dropped";
}

}  // namespace
}  // namespace syncline
