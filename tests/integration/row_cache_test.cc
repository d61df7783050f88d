// Rows that workers keep: what a pull must have, it has.

#include <cmath>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/io/file_system.h"
#include "common/io/posix_file_system.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/integration/in_process_cluster.h"
#include "tests/integration/one_weight.h"
#include "worker/client/client.h"

namespace syncline {
namespace {

constexpr size_t kDim = 2;
using Rows = std::vector<float>;
using Keys = std::vector<uint64_t>;

JobManifest CachedJob(SyncMode mode, RowOptimizerKind kind) {
  JobManifest job = SmallJob(1, 1, 100000);
  job.set_sync_mode(mode);
  job.set_staleness(3);
  job.set_shards(2);
  job.mutable_optimizer()->Clear();
  Table* const table = job.add_tables();
  table->set_name("rows");
  table->set_dim(kDim);
  table->set_slots(8);
  table->mutable_optimizer()->set_kind(kind);
  table->mutable_optimizer()->set_learning_rate(1);
  table->mutable_cache()->set_rows(1000);
  return job;
}

class CachingClient {
 public:
  explicit CachingClient(const InProcessCluster& cluster) {
    client_ = ConnectWithOneWeight(cluster, 100);
  }
  Rows Pull(Clock clock, const Keys& keys) {
    Rows rows(keys.size() * kDim);
    Wait([&](auto done) {
      client_->PullRows(clock, {{0, keys, rows.data()}}, [done](const auto& pulled) { done(pulled.status()); });
    });
    return rows;
  }
  Rows Observe(const Keys& keys) {
    Rows rows(keys.size() * kDim);
    Wait([&](auto done) { client_->ObserveRows({{0, keys, rows.data()}}, done); });
    return rows;
  }
  // Under the number of steps so far.
  void Step(const Keys& keys, const Rows& gradients) {
    Wait([&](auto done) { client_->PushRows(clock_, {{0, keys, gradients.data()}}, done); });
    Wait([&](auto done) {
      client_->Commit(clock_, 1, {}, [done](const auto& accepted) { done(accepted.status()); });
    });
    ++clock_;
  }
  Clock clock() const { return clock_; }
  Client::RowCacheCounts counts() const { return client_->row_cache(); }

 private:
  template <typename Begin>
  static void Wait(const Begin& begin) {
    absl::Notification done;
    begin([&](const absl::Status& status) {
      SYNCLINE_EXPECT_OK(status);
      done.Notify();
    });
    done.WaitForNotification();
  }

  std::unique_ptr<Client> client_;
  Clock clock_ = 0;
};

// Mostly the first few of 200.
Keys ZipfKeys(std::mt19937_64* random) {
  std::set<uint64_t> keys;
  while (keys.size() < 20) {
    const double u = static_cast<double>((*random)() >> 11) * 0x1p-53;
    keys.insert(static_cast<uint64_t>(200 * u * u * u) * 7919);
  }
  return {keys.begin(), keys.end()};
}

// Whoever is alone sees its own updates and nobody else's, so what it keeps is what the shards have, to the bit.
TEST(RowCacheTest, OwnUpdatesAreSeenAsShardsMakeThem) {
  for (const RowOptimizerKind kind :
       {ROW_OPTIMIZER_SGD, ROW_OPTIMIZER_ADAGRAD, ROW_OPTIMIZER_ROWWISE_ADAGRAD, ROW_OPTIMIZER_FTRL}) {
    for (const SyncMode mode : {BOUNDED, ASYNC}) {
      InProcessCluster cluster(CachedJob(mode, kind));
      CachingClient worker(cluster);
      std::mt19937_64 random(1);
      for (int step = 0; step < 30; ++step) {
        const Keys keys = ZipfKeys(&random);
        const Rows rows = worker.Pull(worker.clock(), keys);
        ASSERT_EQ(rows, worker.Observe(keys)) << RowOptimizerKind_Name(kind) << " at step " << step;
        Rows gradients;
        for (size_t i = 0; i < rows.size(); ++i) gradients.push_back(static_cast<float>(random() % 1000) / 700);
        worker.Step(keys, gradients);
      }
      EXPECT_EQ(worker.counts().wanted, 600u);
      EXPECT_GT(worker.counts().found, 100u);
      EXPECT_LT(worker.counts().found, 500u) << "rows are pulled again when they are too old";
    }
  }
}

// By SGD with rate 1 a row is less by as many as there were gradients of 1.
TEST(RowCacheTest, BoundedSeesWhatOthersHadPushedAtStaleness) {
  InProcessCluster cluster([] {
    JobManifest job = CachedJob(BOUNDED, ROW_OPTIMIZER_SGD);
    job.set_workers(2);
    return job;
  }());
  CachingClient a(cluster), b(cluster);
  const Keys keys = {1, 2, 3, 4, 5, 6, 7, 8};
  const Rows begin = a.Observe(keys), ones(keys.size() * kDim, 1);
  std::mt19937_64 random(2);
  uint64_t old = 0;
  for (int turn = 0; turn < 200; ++turn) {
    CachingClient& w = random() % 2 == 0 ? a : b;
    const CachingClient& other = &w == &a ? b : a;
    if (w.clock() > other.clock() + 3) continue;  // it would wait
    const Rows rows = w.Pull(w.clock(), keys);
    for (size_t i = 0; i < rows.size(); ++i) {
      const float seen = begin[i] - rows[i];
      const float of_other = seen - static_cast<float>(w.clock());
      ASSERT_NEAR(seen, std::round(seen), 1e-3);
      EXPECT_GT(of_other + 3 + 0.5f, static_cast<float>(w.clock())) << "not all below clock - staleness";
      EXPECT_LT(of_other, static_cast<float>(other.clock()) + 0.5f);
      old += of_other + 0.5f < static_cast<float>(other.clock());
    }
    w.Step(keys, ones);
  }
  EXPECT_GT(a.counts().found + b.counts().found, 0u);
  EXPECT_GT(old, 0u) << "no pull made use of the staleness";
}

// 2000 samples of a category by a Zipf law, which is all that the label depends on.
JobManifest ZipfJob(uint64_t cached) {
  std::mt19937_64 random(3);
  std::string text;
  for (int i = 0; i < 2000; ++i) {
    const double u = static_cast<double>(random() >> 11) * 0x1p-53;
    const int value = static_cast<int>(100 * u * u * u);
    absl::StrAppend(&text, value % 2, ",v", value, ",0\n");
  }
  const std::string folder = FreshFolder("zipf");
  SYNCLINE_EXPECT_OK(WriteFileAtomically(PosixFileSystem(), folder + "/train.csv", text));
  JobManifest job = SmallJob(1, 4, 0);
  job.mutable_model()->Clear();
  job.mutable_model()->set_loss(LOGISTIC);
  job.mutable_model()->add_sparse()->set_table("rows");
  job.mutable_model()->add_layers()->mutable_linear()->set_units(1);
  Table* const table = job.add_tables();
  table->set_name("rows");
  table->set_dim(4);
  table->mutable_optimizer()->set_learning_rate(0.1);
  if (cached > 0) table->mutable_cache()->set_rows(cached);
  job.clear_data();
  job.mutable_data()->set_format(CSV);
  job.mutable_data()->set_train(folder + "/train.csv");
  job.mutable_data()->set_columns("label, category, float");
  job.set_sync_mode(ASYNC);
  job.set_workers(2);
  job.set_batch_size(20);
  job.set_epochs(5);
  return job;
}

TEST(RowCacheTest, AJobWithZipfKeysTrainsAsWellAndPullsLess) {
  double losses[2];
  for (const uint64_t cached : {0, 50}) {
    InProcessCluster cluster(ZipfJob(cached));
    cluster.StartWorkers();
    cluster.Finish();
    const ClusterStatusReply status = cluster.Status();
    uint64_t wanted = 0, found = 0;
    for (const WorkerStatus& worker : status.workers()) {
      wanted += worker.progress().cached_rows_wanted();
      found += worker.progress().cached_rows_found();
    }
    EXPECT_EQ(wanted > 0, cached > 0);
    EXPECT_GE(found, wanted / 3);
    ASSERT_GT(status.loss_curve_size(), 0);
    losses[cached > 0] = status.loss_curve(status.loss_curve_size() - 1).loss();
  }
  EXPECT_LT(losses[0], 0.3);
  EXPECT_LT(losses[1], losses[0] + 0.1);
}

}  // namespace
}  // namespace syncline
