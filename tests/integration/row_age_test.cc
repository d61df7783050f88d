// Rows that nobody has pushed for eviction.max_age_seconds go, and not before, whatever is done to the clock of the wall.

#include <utility>

#include "absl/time/clock.h"
#include "common/rpc/call.h"
#include "common/status/status_matchers.h"
#include "common/time/steady_now.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/chaos/wall_clock.h"
#include "tests/integration/in_process_cluster.h"
#include "tests/integration/table_job.h"
#include "tests/integration/table_worker.h"

namespace syncline {
namespace {

using testing::Each;

// A slot looks for old rows at every one of so many updates (RowChunk).
constexpr int kSteps = 64;

JobManifest Job(SyncMode mode, uint32_t replicas, absl::Duration age) {
  JobManifest job = LedJob(mode, 2);
  job.set_replicas(replicas);
  Table* const table = AddTable("rows", 1, 4, &job);
  table->mutable_initializer()->set_kind(ROW_INITIALIZER_ZEROS);
  table->mutable_eviction()->set_max_age_seconds(absl::ToDoubleSeconds(age));
  return job;
}

// Pushes rows of which some idle after the first time, when they were at -1.
class Pushes {
 public:
  explicit Pushes(const InProcessCluster& cluster) : worker_(cluster) {
    const RowKeys all = ScatteredKeys(150);
    idle_.assign(all.begin(), all.begin() + 100);
    used_.assign(all.begin() + 100, all.end());
  }

  // All rows, once. Between which times that was.
  std::pair<absl::Time, absl::Time> Begin() {
    const absl::Time before = SteadyNow();
    worker_.Step(0, idle_, 1);
    Use(1);
    return {before, SteadyNow()};
  }
  void Use(int steps) {
    for (int i = 0; i < steps; ++i) worker_.Step(0, used_, 1);
  }
  // Goes on until those that idle must be gone. They must be there until `earliest`.
  void ExpectIdleOnesGoBetween(absl::Time earliest, absl::Time latest) {
    int early = 0;
    while (SteadyNow() < latest) {
      Use(kSteps);
      const Rows idle = Idle();
      if (SteadyNow() >= earliest) continue;
      ASSERT_THAT(idle, Each(-1));
      ++early;
    }
    EXPECT_GT(early, 0);
    Use(kSteps);
    EXPECT_THAT(Idle(), Each(0));
  }
  Rows Idle() { return worker_.Pull(0, idle_); }
  Rows Used() { return worker_.Pull(0, used_); }
  size_t idle_rows() const { return idle_.size(); }
  // Steps that used rows were in.
  float uses() const { return static_cast<float>(worker_.clock()) - 1; }

 private:
  TableWorker worker_;
  RowKeys idle_, used_;
};

struct Setting {
  SyncMode mode;
  uint32_t replicas;
  absl::Duration jump;
};

class RowAgeTest : public testing::TestWithParam<Setting> {
 protected:
  ~RowAgeTest() override { SetWallClock(absl::ZeroDuration()); }
};

TEST_P(RowAgeTest, IdleRowsGoInTheirTimeThoughTheWallsClockJumps) {
  const absl::Duration age = absl::Milliseconds(2500);
  InProcessCluster cluster(Job(GetParam().mode, GetParam().replicas, age));
  Pushes pushes(cluster);
  const absl::Time wall = absl::Now();
  const auto [begun, pushed] = pushes.Begin();
  SetWallClock(GetParam().jump);
  // Abseil looks at the clock every two seconds or so.
  while (absl::AbsDuration(absl::Now() - wall) < absl::Minutes(59) && SteadyNow() < pushed + age) pushes.Use(1);
  ASSERT_GT(absl::AbsDuration(absl::Now() - wall), absl::Minutes(59));
  pushes.ExpectIdleOnesGoBetween(begun + age, pushed + age + age / 32);
  EXPECT_THAT(pushes.Used(), Each(-pushes.uses()));

  const ClusterStatusReply status = cluster.Status();
  uint64_t expired = 0;
  for (const ShardStatusReply& shard : status.shards()) expired += shard.tables(0).expired();
  EXPECT_EQ(expired, pushes.idle_rows());
}

INSTANTIATE_TEST_SUITE_P(Jumps, RowAgeTest,
                         testing::Values(Setting{SYNC, 2, absl::Hours(1)}, Setting{ASYNC, 1, -absl::Hours(1)}),
                         [](const auto& info) { return SyncMode_Name(info.param.mode); });

TEST_F(RowAgeTest, AgesGoOnAfterARestartFromWhatTheyWere) {
  const absl::Duration age = absl::Milliseconds(1500);
  JobManifest job = Job(ASYNC, 1, age);
  absl::Duration least, most;  // of ages in the checkpoint
  {
    InProcessCluster cluster(job);
    Pushes pushes(cluster);
    const auto [begun, pushed] = pushes.Begin();
    absl::SleepFor(age * 0.4);
    least = SteadyNow() - pushed;
    SYNCLINE_ASSERT_OK(
        Call<CheckpointReply>(cluster.stub(), &Coordinator::Stub::Checkpoint, CheckpointRequest(), absl::Seconds(30))
            .status());
    most = SteadyNow() - begun;
  }
  absl::SleepFor(age * 0.6);  // too old, if this counted
  const absl::Time restarted = SteadyNow();
  job.set_shards(1);
  InProcessCluster cluster(job, "latest");
  Pushes pushes(cluster);
  ASSERT_THAT(pushes.Idle(), Each(-1));
  pushes.ExpectIdleOnesGoBetween(restarted + age - most, SteadyNow() + age - least + age / 32);
}

}  // namespace
}  // namespace syncline
