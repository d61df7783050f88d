// What is hot moves off a shard that has more to do than others, while training goes on to the same bits.

#include <algorithm>
#include <numeric>
#include <tuple>

#include "absl/time/clock.h"
#include "common/cluster/shard_map.h"
#include "common/status/status_matchers.h"
#include "common/table/row_hash.h"
#include "gtest/gtest.h"
#include "tests/integration/in_process_cluster.h"
#include "tests/integration/table_job.h"
#include "tests/integration/table_worker.h"

namespace syncline {
namespace {

constexpr uint32_t kSlots = 8, kDim = 64;
constexpr float kGradient = 0.1f;

JobManifest Job(SyncMode mode, uint32_t replicas) {
  JobManifest job = LedJob(mode, 2);
  job.set_replicas(replicas);
  Table* const table = AddTable("rows", kDim, kSlots, &job);
  table->mutable_initializer()->set_kind(ROW_INITIALIZER_ZEROS);
  table->mutable_admission()->set_min_count(2);
  return job;
}

// A worker that trains rows of the first shard alone.
class HotWorker {
 public:
  explicit HotWorker(InProcessCluster& cluster) : cluster_(cluster), worker_(cluster) {
    const ShardMap map = cluster.Status().map();
    for (uint64_t key = 1; keys_.size() < 40; ++key) {
      if (map.owner(static_cast<int>(1 + SlotOfKey(key, kSlots))) == 0) keys_.push_back(key);
    }
  }

  // All that was pushed is in what is pulled. A key's first push stores no row.
  void Step() {
    for (const float value : worker_.Pull(0, keys_)) ASSERT_EQ(value, expected_) << worker_.clock();
    worker_.Step(0, keys_, kGradient);
    if (worker_.clock() > 1) expected_ -= kGradient;
  }
  // Trains until `done` says so, for half a minute at most; the status then.
  ClusterStatusReply TrainUntil(const std::function<bool(const ClusterStatusReply&)>& done) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (true) {
      for (int i = 0; i < 20 && !testing::Test::HasFatalFailure(); ++i) Step();
      ClusterStatusReply status = cluster_.Status();
      if (done(status) || testing::Test::HasFatalFailure()) return status;
      if (absl::Now() < deadline) continue;
      ADD_FAILURE() << status.DebugString();
      return status;
    }
  }
  size_t keys() const { return keys_.size(); }

 private:
  InProcessCluster& cluster_;
  TableWorker worker_;
  RowKeys keys_;
  float expected_ = 0;
};

// The busiest shard's load over the mean; 0 while that is not known.
double Unevenness(const ClusterStatusReply& status) {
  const auto& loads = status.shard_load();
  const double total = std::accumulate(loads.begin(), loads.end(), 0.0);
  return total > 0 ? *std::max_element(loads.begin(), loads.end()) * loads.size() / total : 0;
}

class LoadTest : public testing::TestWithParam<std::tuple<SyncMode, uint32_t>> {};

TEST_P(LoadTest, EvensOutWhileTrainingGoesOn) {
  const auto [mode, replicas] = GetParam();
  InProcessCluster cluster(Job(mode, replicas), "", absl::Seconds(2));
  HotWorker worker(cluster);
  const ClusterStatusReply uneven =
      worker.TrainUntil([](const auto& status) { return Unevenness(status) > 1.4; });
  EXPECT_EQ(uneven.rescale().load_moved_bytes(), 0u) << "rebalance is off";
  EXPECT_EQ(uneven.map().epoch(), 1u);
  ASSERT_GT(uneven.shards(0).tables_size(), 0);
  EXPECT_EQ(uneven.shards(0).tables(0).rows() + uneven.shards(1).tables(0).rows(), worker.keys());
  EXPECT_EQ(uneven.shards(0).tables(0).refused(), worker.keys());

  ScaleRequest request;
  request.set_rebalance(REBALANCE_AUTO);
  cluster.Scale(request);
  const ClusterStatusReply even = worker.TrainUntil([](const auto& status) {
    return status.rescale().load_moved_bytes() > 0 && !status.rescale().moving() && Unevenness(status) < 1.25;
  });
  EXPECT_EQ(even.job().rebalance(), REBALANCE_AUTO);
  EXPECT_EQ(OwnedChunks(even.map(), 0).size(), OwnedChunks(uneven.map(), 0).size()) << "what is cold came back";
  const uint64_t epoch = even.map().epoch();
  EXPECT_EQ(worker.TrainUntil([](const auto&) { return true; }).map().epoch(), epoch) << "and that is that";
}

INSTANTIATE_TEST_SUITE_P(Modes, LoadTest,
                         testing::Values(std::tuple{SYNC, 1}, std::tuple{SYNC, 2}, std::tuple{BOUNDED, 1},
                                         std::tuple{ASYNC, 2}));

}  // namespace
}  // namespace syncline
