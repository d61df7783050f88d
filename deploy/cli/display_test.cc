#include <cmath>

#include "common/status/status_matchers.h"
#include "deploy/cli/compare_table.h"
#include "deploy/cli/line_plot.h"
#include "deploy/cli/progress.h"
#include "deploy/cli/status_table.h"
#include "deploy/cli/top_table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

ClusterStatusReply Running() {
  ClusterStatusReply status;
  status.set_phase(ClusterStatusReply::TRAINING);
  status.mutable_job()->set_name("digits");
  status.mutable_job()->set_epochs(4);
  status.mutable_job()->set_sync_mode(BOUNDED);
  status.set_epoch(1);
  status.set_step(70);
  status.set_samples_per_second(1234);
  LossPoint* point = status.add_loss_curve();
  point->set_epoch(1);
  point->set_seconds(2);
  point->set_loss(0.5);
  ShardStatusReply* shard = status.add_shards();
  shard->set_bytes(3 << 20);
  shard->add_clock_staleness(3);
  shard->add_clock_staleness(0);
  shard->add_clock_staleness(1);
  status.mutable_map()->add_shards("h:1");
  WorkerStatus* worker = status.add_workers();
  worker->set_live(true);
  worker->set_name("w<0>");
  return status;
}

TEST(ProgressTest, ALineSaysHowFarAndHowFast) {
  EXPECT_THAT(ProgressLine(Running()),
              AllOf(HasSubstr("[######..................] epoch 1.00/4"), HasSubstr("step 70"),
                    HasSubstr("1234 samples/s"), HasSubstr("loss 0.5000"),
                    HasSubstr("staleness 0.50 (max 2)")));
}

TEST(ProgressTest, ALineSaysHowGoodTheModelIsByItsLoss) {
  ClusterStatusReply status = Running();
  status.mutable_loss_curve(0)->set_accuracy(0.75);
  EXPECT_THAT(ProgressLine(status), HasSubstr("  loss 0.5000  accuracy 75.00 %  "));
  status.mutable_job()->mutable_model()->set_loss(LOGISTIC);
  status.mutable_workers(0)->mutable_progress()->set_train_auc(0.5);
  status.add_workers()->mutable_progress()->set_train_auc(1);
  EXPECT_THAT(ProgressLine(status), HasSubstr("  log loss 0.5000  AUC 0.7500  "));
  status = Running();
  status.mutable_job()->mutable_model()->set_loss(MEAN_SQUARED_ERROR);
  EXPECT_THAT(ProgressLine(status), HasSubstr("  loss 0.5000  RMSE 0.7071  "));
}

TEST(ProgressTest, AWaitingClusterSaysWhatFor) {
  ClusterStatusReply status = Running();
  status.set_waiting_for("waiting for shards: 0 of 2 have registered");
  EXPECT_EQ(ProgressLine(status), "waiting for shards: 0 of 2 have registered");
}

TEST(ProgressTest, TheSummaryHasWhatWasMeasuredAndNothingElse) {
  ClusterStatusReply status = Running();
  EXPECT_THAT(Summary(status), testing::Not(HasSubstr("accuracy")));
  status.set_test_accuracy(0.885);
  EXPECT_THAT(Summary(status), HasSubstr("test accuracy   88.50 %"));
}

TEST(ProgressTest, TheSummaryNamesWhatALossMeans) {
  ClusterStatusReply status = Running();
  status.set_test_loss(0.25);
  EXPECT_THAT(Summary(status), HasSubstr("test loss       0.2500\n"));
  status.mutable_job()->mutable_model()->set_loss(MEAN_SQUARED_ERROR);
  EXPECT_THAT(Summary(status), HasSubstr("test RMSE       0.5000\n"));
  status.mutable_job()->mutable_model()->set_loss(LOGISTIC);
  status.set_test_auc(0.78125);
  EXPECT_THAT(Summary(status), AllOf(HasSubstr("test AUC        0.7812\n"), HasSubstr("test log loss   0.2500\n"),
                                     testing::Not(HasSubstr("RMSE"))));
}

TEST(ProgressTest, ALineSaysWhatHasMoved) {
  ClusterStatusReply status = Running();
  EXPECT_EQ(RescaleLine(status, 2), "1 shards, 2 workers");
  status.mutable_rescale()->set_moved_bytes(1 << 20);
  status.mutable_rescale()->set_total_bytes(4 << 20);
  status.mutable_rescale()->set_waiting_for("waiting for shards");
  EXPECT_EQ(RescaleLine(status, 2),
            "[######..................] 1.0 MiB of 4.0 MiB of weights moved; 1 shards, 2 workers; "
            "waiting for shards");
}

// Ten steps each; a second of every step is waiting.
void AddWorker(ClusterStatusReply* status, uint32_t rank, double own_seconds) {
  WorkerStatus* worker = status->add_workers();
  worker->set_rank(rank);
  worker->set_live(true);
  worker->mutable_progress()->set_clock(10);
  worker->mutable_progress()->set_pull_wait_seconds(6);
  worker->mutable_progress()->set_push_wait_seconds(4);
  worker->mutable_progress()->set_total_seconds(10 + 10 * own_seconds);
}

TEST(StatusTableTest, NamesAStraggler) {
  ClusterStatusReply status;
  AddWorker(&status, 0, 0.2);
  AddWorker(&status, 1, 0.25);
  EXPECT_THAT(StatusTable(status), testing::Not(HasSubstr("straggler")));
  AddWorker(&status, 2, 0.8);
  EXPECT_THAT(StatusTable(status), HasSubstr("straggler (3.2x)"));
}

TEST(StatusTableTest, ShowsWorkersShardsAndStaleness) {
  EXPECT_THAT(StatusTable(Running()),
              AllOf(HasSubstr("job digits: training, bounded"), HasSubstr("w<0>"),
                    HasSubstr("3.0 MiB"), HasSubstr("h:1"), HasSubstr("clocks ahead at a pull  0.50    0    2    2"),
                    HasSubstr("updates missed by a push     -    -    -    -")));
  EXPECT_THAT(StatusJson(Running()), HasSubstr("\"samples_per_second\": 1234"));
}

TEST(StatusTableTest, ShowsRowsThatAreOnDisk) {
  ClusterStatusReply status = Running();
  EXPECT_THAT(StatusTable(status), testing::Not(HasSubstr("rows of tables")));
  RowMemory* const rows = status.mutable_shards(0)->mutable_row_memory();
  rows->set_rows(5000);
  rows->set_cold_rows(4000);
  rows->set_memory_bytes(1 << 20);
  rows->set_asked(1000);
  rows->set_fetched(25);
  EXPECT_THAT(StatusTable(status), AllOf(HasSubstr("5000     4000  1.0 MiB   -"), HasSubstr("97.50 %")));
}

TEST(StatusTableTest, ShowsLoadAndRows) {
  ClusterStatusReply status = Running();
  EXPECT_THAT(StatusTable(status), testing::Not(HasSubstr("tables")));
  status.add_shard_load(3e6);
  status.add_shard_load(1e6);
  TableStatus* const table = status.mutable_shards(0)->add_tables();
  table->set_name("users");
  table->set_rows(1234);
  table->set_refused(56);
  EXPECT_THAT(StatusTable(status), AllOf(HasSubstr("75 %"), HasSubstr("users"), HasSubstr("1234"), HasSubstr("56")));
}

TEST(TopTableTest, ShowsWhatHappenedSinceTheLastOne) {
  ClusterStatusReply before = Running(), after = Running();
  WorkerProgress* progress = before.mutable_workers(0)->mutable_progress();
  progress->set_samples(1000);
  progress->set_total_seconds(10);
  progress->set_pull_wait_seconds(5);
  progress = after.mutable_workers(0)->mutable_progress();
  progress->set_samples(3000);
  progress->set_total_seconds(12);
  progress->set_compute_seconds(1);
  progress->set_pull_wait_seconds(5.5);
  progress->set_communication_seconds(2);
  before.mutable_shards(0)->set_pushed_bytes(1 << 20);
  after.mutable_shards(0)->set_pushed_bytes(5 << 20);
  after.mutable_shards(0)->set_shared_bytes(1 << 20);
  after.mutable_shards(0)->set_clock_staleness(2, 2);
  const std::string table = TopTable(before, after, 2);
  // samples/s, then shares of the worker's two seconds, then what it hid of two seconds' traffic.
  EXPECT_THAT(table, HasSubstr("1000     50 %       25 %        0 %    75 %  w<0>"));
  EXPECT_THAT(table, HasSubstr("2.0 MiB/s   0 B/s    25 %"));
  EXPECT_THAT(table, HasSubstr("clocks ahead at a pull  2.00    2    2    2"));
}

TEST(TopTableTest, AWorkerThatBeganAnewIsCountedFromItsBeginning) {
  ClusterStatusReply before = Running(), after = Running();
  before.mutable_workers(0)->mutable_progress()->set_samples(1000);
  after.mutable_workers(0)->set_incarnation(9);
  after.mutable_workers(0)->mutable_progress()->set_samples(500);
  EXPECT_THAT(TopTable(before, after, 1), HasSubstr(" 500 "));
}

TEST(StatusTableTest, ShowsWhoHasWhichPartOfAStage) {
  ClusterStatusReply status = Running();
  status.mutable_job()->mutable_pipeline()->set_stages(2);
  status.mutable_job()->mutable_tensor_parallel()->set_size(2);
  for (const char* name : {"a", "b", "c", "d"}) {
    if (status.teams().empty()) status.add_teams();
    TeamProcess* const process = status.mutable_teams(0)->add_processes();
    process->set_name(name);
    process->set_address("h:2");
    process->mutable_progress()->set_layers(*name < 'c' ? "0-3" : "4-7");
    process->mutable_progress()->set_pipeline_seconds(4);
    process->mutable_progress()->set_idle_seconds(1);
  }
  const std::string table = StatusTable(status);
  EXPECT_THAT(table, HasSubstr("replica  stage  part  layers"));
  EXPECT_THAT(table, AllOf(HasSubstr("0      0     0     0-3"), HasSubstr("0      1     1     4-7")));
  EXPECT_THAT(Summary(status), HasSubstr("waited 25 %, 25 %, 25 %, 25 % of the time for each other"));
}

TEST(StatusTableTest, SaysWhereGradientsAreSummed) {
  ClusterStatusReply status;
  EXPECT_THAT(StatusTable(status), Not(HasSubstr("summed")));
  TeamStatus* const team = status.add_teams();
  team->add_processes();
  team->add_processes()->mutable_progress()->set_sums("in host memory: a computes on a CPU");
  EXPECT_THAT(StatusTable(status), HasSubstr("gradients are summed in host memory: a computes on a CPU\n"));
  EXPECT_THAT(Summary(status), HasSubstr("summed in host memory: a computes on a CPU\n"));
}

TEST(LinePlotTest, DrawsEveryPointInsideThePicture) {
  const PlotLine line{"one", {{0, 2}, {1, 1}, {1.5, std::nan("")}, {2, 0}}};
  const std::string svg = LinePlot("a < b", "epoch", {line});
  EXPECT_THAT(svg, AllOf(HasSubstr("a &lt; b"), HasSubstr("64.0,59.6 382.0,215.8 700.0,372.0"),
                         HasSubstr(">epoch<"), Not(HasSubstr(">one<"))));
  EXPECT_THAT(LinePlot("nothing", "epoch", {}), HasSubstr("</svg>"));
}

TEST(LinePlotTest, SeveralLinesAreNamed) {
  const std::string svg = LinePlot("t", "s", {{"one", {{0, 2}}}, {"t&wo", {{1, 1}}}});
  EXPECT_THAT(svg, AllOf(HasSubstr(">one<"), HasSubstr(">t&amp;wo<")));
}

TEST(CompareTableTest, SaysHowTheJobWentEachWay) {
  ClusterStatusReply status = Running();
  status.set_test_accuracy(0.8765);
  const std::string table = CompareTable({{"ps-sync", status}, {"ps-async", ClusterStatusReply()}});
  EXPECT_THAT(table, AllOf(HasSubstr("ps-sync"), HasSubstr("87.65 %"), HasSubstr("ps-async"), HasSubstr("waiting")));
}

TEST(CompareTableTest, StrategiesAreReadOrRefused) {
  const auto two = ParseStrategies("ps-async,ps-sync");
  SYNCLINE_ASSERT_OK(two.status());
  EXPECT_EQ((*two)[0].mode, ASYNC);
  EXPECT_EQ((*two)[1].mode, SYNC);
  for (const char* const bad : {"", "ps-sync,", "allreduced", "ps-sync,ps-sync"}) {
    EXPECT_THAT(ParseStrategies(bad).status(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--strategies")));
  }
}

TEST(CompareTableTest, EveryWayTakesAsManySamplesAStep) {
  const auto strategies = *ParseStrategies("ps-bounded,pipeline,allreduce,tensor");
  JobManifest job;
  job.set_workers(4);
  job.set_batch_size(32);
  job.mutable_pipeline()->set_stages(1);
  JobManifest pipeline = job;
  TrainBy(strategies[1], &pipeline);
  EXPECT_EQ(pipeline.pipeline().stages(), 4u);
  EXPECT_EQ(pipeline.pipeline().micro_batches(), 4u);
  EXPECT_EQ(pipeline.batch_size(), 128u);
  EXPECT_EQ(pipeline.sync_mode(), SYNC);
  // One that is made for two stages stays so, and is one worker's the other way.
  job.mutable_pipeline()->set_stages(2);
  job.mutable_pipeline()->set_micro_batches(8);
  job.mutable_pipeline()->set_layers("0-1, 2-3");
  JobManifest same = job;
  TrainBy(strategies[1], &same);
  EXPECT_EQ(same.pipeline().layers(), "0-1, 2-3");
  EXPECT_EQ(same.pipeline().micro_batches(), 8u);
  EXPECT_EQ(same.batch_size(), 32u);
  TrainBy(strategies[0], &job);
  EXPECT_EQ(job.pipeline().stages(), 1u);
  EXPECT_EQ(job.batch_size(), 16u);
  EXPECT_EQ(job.pipeline().layers(), "auto");
  EXPECT_EQ(job.sync_mode(), BOUNDED);
  EXPECT_EQ(job.aggregation(), AGGREGATION_PS);
  JobManifest tensor = same;
  TrainBy(strategies[3], &tensor);
  EXPECT_EQ(tensor.tensor_parallel().size(), 4u);
  EXPECT_EQ(tensor.pipeline().stages(), 1u);
  EXPECT_EQ(tensor.pipeline().micro_batches(), 1u);
  EXPECT_EQ(tensor.batch_size(), 64u) << "in all, what two replicas of two workers took";
  tensor.mutable_tensor_parallel()->set_size(2);
  TrainBy(strategies[3], &tensor);
  EXPECT_EQ(tensor.tensor_parallel().size(), 2u);
  EXPECT_EQ(tensor.batch_size(), 64u);
  TrainBy(strategies[0], &tensor);
  EXPECT_EQ(tensor.tensor_parallel().size(), 1u);
  EXPECT_EQ(tensor.batch_size(), 32u);
  TrainBy(strategies[2], &job);
  EXPECT_EQ(job.batch_size(), 16u);
  EXPECT_EQ(job.aggregation(), AGGREGATION_ALLREDUCE);
  EXPECT_EQ(job.sync_mode(), SYNC);
  TrainBy(ParseStrategies("hierarchical")->front(), &job);
  EXPECT_EQ(job.batch_size(), 16u);
  EXPECT_EQ(job.aggregation(), AGGREGATION_HIERARCHICAL);
}

}  // namespace
}  // namespace syncline
