// Gradients summed within hosts and then among them, and what of them is coded: the weights are those of the parameter
// server but for rounding, hosts send each other less, and a host that is lost costs no sample.

#include <string>
#include <vector>

#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/integration/process_cluster.h"

namespace syncline {
namespace {

using Hosts = std::vector<std::string>;

// `hidden`: 300 make 16 kB of chunks and so a short sum, 30000 a long one.
JobManifest Job(size_t workers, uint32_t hidden, Aggregation aggregation) {
  JobManifest job = SmallJob(12, hidden, 98);
  job.set_workers(static_cast<uint32_t>(workers));
  job.set_shards(2);
  job.set_batch_size(static_cast<uint32_t>(24 / workers));
  job.set_aggregation(aggregation);
  job.mutable_optimizer()->set_learning_rate(hidden > 300 ? 1e-4 : 0.02);
  return job;
}

struct Trained {
  Weights weights;
  ClusterStatusReply status;

  uint64_t sent_bytes() const { return Sum(&TeamProgress::sent_bytes); }
  // To other hosts.
  uint64_t network_bytes() const { return Sum(&TeamProgress::other_hosts_bytes); }
  uint64_t Sum(uint64_t (TeamProgress::*bytes)() const) const {
    uint64_t sum = 0;
    for (const TeamProcess& process : status.teams(0).processes()) sum += (process.progress().*bytes)();
    return sum;
  }
};

// By a worker on each of these hosts.
Trained TrainOn(const Hosts& hosts, const JobManifest& job) {
  InProcessCluster cluster(job);
  for (const std::string& host : hosts) cluster.StartWorker(absl::ZeroDuration(), host);
  const ClusterStatusReply status = cluster.Finish();
  const auto weights = CheckpointWeights(cluster.job().checkpoint().directory());
  SYNCLINE_EXPECT_OK(weights.status());
  return {weights.ok() ? *weights : Weights(), status};
}

TEST(HierarchicalTest, MakesTheWeightsOfTheParameterServer) {
  for (const uint32_t hidden : {300, 30000}) {
    const Weights by_shards = TrainedWeights(Job(1, hidden, AGGREGATION_PS));
    for (const Hosts& hosts : {Hosts{"a"}, Hosts{"a", "a"}, Hosts{"a", "b"}, Hosts{"a", "a", "b", "b"},
                               Hosts{"a", "b", "a", "a"}}) {
      const JobManifest job = Job(hosts.size(), hidden, AGGREGATION_HIERARCHICAL);
      EXPECT_LT(Difference(TrainOn(hosts, job).weights, by_shards), 1e-5) << hosts.size() << " workers";
    }
  }
}

TEST(HierarchicalTest, EveryRunMakesTheSameWeights) {
  JobManifest job = Job(3, 30000, AGGREGATION_HIERARCHICAL);
  job.set_push_codec(INT8);
  const Weights weights = TrainOn({"a", "b", "a"}, job).weights;
  EXPECT_EQ(TrainOn({"b", "b", "a"}, job).weights, weights) << "whoever comes first";
  job.set_shared_memory(false);
  EXPECT_EQ(TrainOn({"a", "a", "b"}, job).weights, weights) << "through the network";
}

TEST(HierarchicalTest, HostsSendEachOtherAsMuchAsOneWorkerEach) {
  const Hosts hosts = {"a", "a", "b", "b"};
  const uint64_t all = TrainOn(hosts, Job(4, 30000, AGGREGATION_ALLREDUCE)).network_bytes();
  const uint64_t by_host = TrainOn(hosts, Job(4, 30000, AGGREGATION_HIERARCHICAL)).network_bytes();
  const uint64_t one_each = TrainOn({"a", "b"}, Job(2, 30000, AGGREGATION_ALLREDUCE)).network_bytes();
  EXPECT_EQ(by_host, one_each);
  EXPECT_GT(static_cast<double>(all), 1.4 * static_cast<double>(by_host)) << "two links of the ring at least";
}

// A sum of gradients and a gather of weights, which is not coded.
TEST(CodedSumTest, FewerBytesGoAmongWorkersAndTheJobLearnsTheSame) {
  JobManifest job = Job(3, 30000, AGGREGATION_ALLREDUCE);
  job.set_shared_memory(false);
  const Trained plain = TrainOn({"", "", ""}, job);
  const double loss = plain.status.loss_curve(plain.status.loss_curve_size() - 1).loss();
  for (const auto& [codec, share] : {std::pair{FP16, 0.75}, {BF16, 0.75}, {INT8, 0.63}}) {
    job.set_push_codec(codec);
    const Trained coded = TrainOn({"", "", ""}, job);
    EXPECT_NEAR(static_cast<double>(coded.sent_bytes()) / static_cast<double>(plain.sent_bytes()), share, 0.01);
    EXPECT_GT(Difference(coded.weights, plain.weights), 0) << "nothing is coded";
    EXPECT_LT(Difference(coded.weights, plain.weights), 0.01) << Codec_Name(codec);
    EXPECT_NEAR(coded.status.loss_curve(coded.status.loss_curve_size() - 1).loss(), loss, 0.02 * loss);
  }
}

TEST(CodedSumTest, WhoSitsBesideWhomChangesNoBit) {
  JobManifest job = Job(3, 30000, AGGREGATION_ALLREDUCE);
  job.set_push_codec(INT8);
  const Weights weights = TrainOn({"", "", ""}, job).weights;
  EXPECT_EQ(TrainOn({"a", "a", "b"}, job).weights, weights);
}

TEST(CodedSumTest, WithinAHostNothingIsCoded) {
  JobManifest job = Job(3, 30000, AGGREGATION_HIERARCHICAL);
  job.set_shared_memory(false);
  const uint64_t plain = TrainOn({"a", "a", "a"}, job).sent_bytes();
  job.set_push_codec(FP16);
  EXPECT_EQ(TrainOn({"a", "a", "a"}, job).sent_bytes(), plain);
}

TEST(LostHostTest, TheRestGoOnWhenTheLastWorkerOfAHostIsLost) {
  JobManifest job = Job(3, 300, AGGREGATION_HIERARCHICAL);
  job.set_epochs(8);
  ProcessCluster cluster(job, absl::Seconds(1), /*start_shards=*/true);
  cluster.StartWorker("a", "50ms", "one");
  cluster.StartWorker("b", "50ms", "two");
  cluster.StartWorker("c", "50ms", "two");
  for (const char* const lost : {"a", "c"}) {  // all of a host, and one of several
    SYNCLINE_ASSERT_OK(cluster.WaitForStep(cluster.Status().step() + 4)) << cluster.Logs();
    cluster.process(lost).Kill();
    SYNCLINE_ASSERT_OK(cluster.WaitForStep(cluster.Status().step() + 4)) << cluster.Logs();
  }
  cluster.StartWorker("d", "50ms", "three");
  SYNCLINE_ASSERT_OK(cluster.WaitForStep(cluster.Status().step() + 4)) << cluster.Logs();
  EXPECT_LT(Difference(cluster.FinishedWeights(), TrainedWeights(job)), 1e-5) << cluster.Logs();
  EXPECT_EQ(cluster.Status().samples_total(), 98u * 8) << "each sample of each epoch once";
}

}  // namespace
}  // namespace syncline
