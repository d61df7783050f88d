#include "server/coordinator/coordinator_metrics.h"

#include <map>
#include <string>

#include "gtest/gtest.h"

namespace syncline {
namespace {

std::map<std::string, double> Values(const ClusterStatusReply& status) {
  std::map<std::string, double> values;
  for (const Metric& metric : CoordinatorMetrics(status)) {
    std::string name = metric.name;
    for (const auto& [key, label] : metric.labels) name += "," + key + "=" + label;
    values[name] = metric.value;
  }
  return values;
}

TEST(CoordinatorMetricsTest, CountsLiveWorkersOnly) {
  ClusterStatusReply status;
  status.add_workers();
  WorkerStatus* live = status.add_workers();
  live->set_rank(1);
  live->set_live(true);
  live->mutable_progress()->set_clock(9);
  const auto values = Values(status);
  EXPECT_EQ(values.at("syncline_workers"), 1);
  EXPECT_EQ(values.at("syncline_worker_clock,rank=1"), 9);
  EXPECT_EQ(values.count("syncline_worker_clock,rank=0"), 0u);
}

TEST(CoordinatorMetricsTest, KnowsTheStepOfTheLastCheckpoint) {
  ClusterStatusReply status;
  EXPECT_EQ(Values(status).at("syncline_last_checkpoint_step"), -1);
  status.set_last_checkpoint("/job/step-0000000042");
  EXPECT_EQ(Values(status).at("syncline_last_checkpoint_step"), 42);
  status.set_checkpoint_written_bytes(7);
  status.set_checkpoint_linked_bytes(8);
  EXPECT_EQ(Values(status).at("syncline_checkpoint_written_bytes"), 7);
  EXPECT_EQ(Values(status).at("syncline_checkpoint_linked_bytes"), 8);
}

TEST(CoordinatorMetricsTest, SumsTablesOverShards) {
  ClusterStatusReply status;
  for (const uint64_t rows : {5, 7}) {
    ShardStatusReply* const shard = status.add_shards();
    for (const char* name : {"users", "items"}) {
      TableStatus* const table = shard->add_tables();
      table->set_name(name);
      table->set_rows(rows);
      table->set_refused(10 * rows);
      table->set_evicted(2);
      table->set_expired(1);
    }
    shard->mutable_tables(1)->set_rows(0);
    status.add_shard_load(100.0 * static_cast<double>(rows));
  }
  const auto values = Values(status);
  EXPECT_EQ(values.at("syncline_table_rows,table=users"), 12);
  EXPECT_EQ(values.at("syncline_table_rows,table=items"), 0);
  EXPECT_EQ(values.at("syncline_table_refused_total,table=users"), 120);
  EXPECT_EQ(values.at("syncline_table_evicted_total,table=items"), 4);
  EXPECT_EQ(values.at("syncline_table_expired_total,table=items"), 2);
  EXPECT_EQ(values.at("syncline_shard_load,shard=1"), 700);
}

TEST(CoordinatorMetricsTest, TheLossIsThatOfTheLastPoint) {
  ClusterStatusReply status;
  EXPECT_EQ(Values(status).count("syncline_loss"), 0u);
  status.add_loss_curve()->set_loss(2);
  status.add_loss_curve()->set_loss(0.5);
  EXPECT_EQ(Values(status).at("syncline_loss"), 0.5);
  EXPECT_EQ(Values(status).count("syncline_accuracy"), 0u) << "with mean squared error there is none";
  status.mutable_loss_curve(1)->set_accuracy(0.75);
  EXPECT_EQ(Values(status).at("syncline_accuracy"), 0.75);
}

TEST(CoordinatorMetricsTest, AnAucIsThatOfALiveWorker) {
  ClusterStatusReply status;
  status.add_workers()->mutable_progress()->set_train_auc(0.8);
  EXPECT_EQ(Values(status).count("syncline_worker_auc,rank=0"), 0u);
  status.mutable_workers(0)->set_live(true);
  EXPECT_EQ(Values(status).at("syncline_worker_auc,rank=0"), 0.8);
}

}  // namespace
}  // namespace syncline
