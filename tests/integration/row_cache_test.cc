// Rows that workers keep: what a pull must have, it has.

#include <cmath>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/integration/in_process_cluster.h"
#include "tests/integration/table_job.h"
#include "tests/integration/table_worker.h"
#include "worker/client/client.h"

namespace syncline {
namespace {

constexpr size_t kDim = 2;

JobManifest CachedJob(SyncMode mode, RowOptimizerKind kind) {
  JobManifest job = LedJob(mode, 2);
  job.set_staleness(3);
  Table* const table = AddTable("rows", kDim, 8, &job);
  table->mutable_optimizer()->set_kind(kind);
  table->mutable_cache()->set_rows(1000);
  return job;
}

Client::RowCacheCounts Counts(const TableWorker& worker) { return worker.client().row_cache(); }

// Mostly the first few of 200.
RowKeys ZipfKeys(std::mt19937_64* random) {
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
      TableWorker worker(cluster);
      std::mt19937_64 random(1);
      for (int step = 0; step < 30; ++step) {
        const RowKeys keys = ZipfKeys(&random);
        const Rows rows = worker.Pull(0, keys);
        ASSERT_EQ(rows, worker.Observe(0, keys)) << RowOptimizerKind_Name(kind) << " at step " << step;
        Rows gradients;
        for (size_t i = 0; i < rows.size(); ++i) gradients.push_back(static_cast<float>(random() % 1000) / 700);
        worker.Step(0, keys, gradients);
      }
      EXPECT_EQ(Counts(worker).wanted, 600u);
      EXPECT_GT(Counts(worker).found, 100u);
      EXPECT_LT(Counts(worker).found, 500u) << "rows are pulled again when they are too old";
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
  TableWorker a(cluster), b(cluster);
  const RowKeys keys = {1, 2, 3, 4, 5, 6, 7, 8};
  const Rows begin = a.Observe(0, keys);
  std::mt19937_64 random(2);
  uint64_t old = 0;
  for (int turn = 0; turn < 200; ++turn) {
    TableWorker& w = random() % 2 == 0 ? a : b;
    const TableWorker& other = &w == &a ? b : a;
    if (w.clock() > other.clock() + 3) continue;  // it would wait
    const Rows rows = w.Pull(0, keys);
    for (size_t i = 0; i < rows.size(); ++i) {
      const float seen = begin[i] - rows[i];
      const float of_other = seen - static_cast<float>(w.clock());
      ASSERT_NEAR(seen, std::round(seen), 1e-3);
      EXPECT_GT(of_other + 3 + 0.5f, static_cast<float>(w.clock())) << "not all below clock - staleness";
      EXPECT_LT(of_other, static_cast<float>(other.clock()) + 0.5f);
      old += of_other + 0.5f < static_cast<float>(other.clock());
    }
    w.Step(0, keys, 1);
  }
  EXPECT_GT(Counts(a).found + Counts(b).found, 0u);
  EXPECT_GT(old, 0u) << "no pull made use of the staleness";
}

// 2000 samples of a category by a Zipf law, which is all that the label depends on.
JobManifest ZipfJob(uint64_t cached) {
  std::mt19937_64 random(3);
  std::string lines;
  for (int i = 0; i < 2000; ++i) {
    const double u = static_cast<double>(random() >> 11) * 0x1p-53;
    const int value = static_cast<int>(100 * u * u * u);
    absl::StrAppend(&lines, value % 2, ",v", value, ",0\n");
  }
  JobManifest job = RowsJob(lines, "label, category, float", 4, 256);
  job.mutable_model()->Clear();
  job.mutable_model()->set_loss(LOGISTIC);
  job.mutable_model()->add_sparse()->set_table("rows");
  job.mutable_model()->add_layers()->mutable_linear()->set_units(1);
  Table* const table = job.mutable_tables(0);
  table->mutable_optimizer()->set_learning_rate(0.1);
  if (cached > 0) table->mutable_cache()->set_rows(cached);
  job.set_sync_mode(ASYNC);
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
