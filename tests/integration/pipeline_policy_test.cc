// Replicas of stages meet at the parameter server under every policy.

#include "gtest/gtest.h"
#include "tests/integration/pipeline_job.h"

namespace syncline {
namespace {

TEST(PipelinePolicyTest, EveryPolicyTrains) {
  for (const SyncMode mode : {BOUNDED, ASYNC}) {
    for (const uint32_t staleness : {0, 2}) {
      JobManifest job = PipelineJob(2, 2);
      job.set_sync_mode(mode);
      job.set_staleness(staleness);
      InProcessCluster cluster(job);
      cluster.StartWorkers();
      const ClusterStatusReply status = cluster.Finish();
      EXPECT_EQ(status.samples_total(), 98u * 2) << SyncMode_Name(mode);
      EXPECT_TRUE(status.has_test_loss() || job.data().test().empty());
    }
  }
}

}  // namespace
}  // namespace syncline
