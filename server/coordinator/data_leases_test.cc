#include "server/coordinator/data_leases.h"

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

DataLeases::Options Options(SyncMode mode, OnWorkerLoss on_loss = DROP) {
  DataLeases::Options options;
  options.mode = mode;
  options.on_loss = on_loss;
  options.samples = 10;
  options.batch_size = 2;
  options.epochs = 1;
  options.horizon = 2;
  return options;
}

// "clock:epoch[begin,end)" for each step leased.
std::vector<std::string> Steps(const LeaseReply& reply) {
  std::vector<std::string> steps;
  for (const StepLease& step : reply.steps()) {
    steps.push_back(absl::StrCat(step.clock(), ":", step.epoch(), "[", step.begin(), ",",
                                 step.begin() + step.count(), ")"));
  }
  return steps;
}

TEST(DataLeasesTest, SyncCutsEachStepEvenlyInRankOrder) {
  DataLeases leases(Options(SYNC));
  leases.Join(0, 0);
  leases.Join(1, 0);
  EXPECT_THAT(Steps(leases.Lease(1, 0)), ElementsAre("0:0[2,4)", "1:0[6,8)"));
  const LeaseReply reply = leases.Lease(0, 0);
  EXPECT_THAT(Steps(reply), ElementsAre("0:0[0,2)", "1:0[4,6)"));
  EXPECT_THAT(reply.steps(0).contributors(), ElementsAre(0, 1));
  // The last step of the epoch is smaller, for both.
  EXPECT_THAT(Steps(leases.Lease(0, 2)), ElementsAre("2:0[8,9)"));
  EXPECT_THAT(Steps(leases.Lease(1, 2)), ElementsAre("2:0[9,10)"));
  EXPECT_FALSE(leases.Lease(0, 3).finished());
  leases.Committed(0, 3);
  leases.Committed(1, 3);
  EXPECT_TRUE(leases.Lease(0, 3).finished());
}

TEST(DataLeasesTest, AJoinerTakesPartFromTheFirstStepNotPlanned) {
  DataLeases leases(Options(SYNC));
  leases.Join(0, 0);
  leases.Lease(0, 0);
  EXPECT_EQ(leases.FirstStep(1), 2u);
  leases.Join(1, 2);
  EXPECT_THAT(Steps(leases.Lease(1, 2)), ElementsAre("2:0[6,8)", "3:0[9,10)"));
  EXPECT_THAT(leases.Lease(0, 1).steps(0).contributors(), ElementsAre(0));
  EXPECT_THAT(leases.Lease(0, 2).steps(0).contributors(), ElementsAre(0, 1));
}

TEST(DataLeasesTest, DropGivesALostWorkersSamplesToTheNextSteps) {
  DataLeases leases(Options(SYNC));
  leases.Join(0, 0);
  leases.Join(1, 0);
  leases.Lease(0, 0);
  leases.Lost(1, 1);  // it held 1:[6,8)
  EXPECT_THAT(Steps(leases.Lease(0, 2)), ElementsAre("2:0[6,8)", "3:0[8,10)"));
}

TEST(DataLeasesTest, RedoKeepsThemForTheRanksNextWorker) {
  DataLeases leases(Options(SYNC, REDO));
  leases.Join(0, 0);
  leases.Join(1, 0);
  leases.Lease(0, 0);
  leases.Lost(1, 1);
  EXPECT_EQ(leases.FirstStep(1), 1u);
  leases.Join(1, 1);
  EXPECT_THAT(Steps(leases.Lease(1, 1)), ElementsAre("1:0[6,8)", "2:0[9,10)"));
}

TEST(DataLeasesTest, WithAllWorkersLostTheirStepsArePlannedAnew) {
  DataLeases leases(Options(SYNC));
  leases.Join(0, 0);
  leases.Lease(0, 0);
  leases.Lost(0, 1);
  EXPECT_EQ(leases.FirstStep(0), 1u);
  leases.Join(0, 1);
  EXPECT_THAT(Steps(leases.Lease(0, 1)), ElementsAre("1:0[2,4)", "2:0[4,6)"));
}

TEST(DataLeasesTest, SaveNamesWhatIsNotTrainedOnAtThatStepAndRestoreGoesOn) {
  DataLeases leases(Options(SYNC));
  leases.Join(0, 0);
  leases.Join(1, 0);
  leases.Lease(0, 0);
  CheckpointManifest manifest;
  leases.Save(1, &manifest);
  manifest.set_step(1);
  ASSERT_EQ(manifest.remaining_size(), 1);
  EXPECT_EQ(manifest.remaining(0).begin(), 4u);
  EXPECT_EQ(manifest.remaining(0).end(), 10u);

  DataLeases restored(Options(SYNC));
  restored.Restore(manifest);
  restored.Join(0, restored.FirstStep(0));
  restored.Join(1, restored.FirstStep(1));
  EXPECT_THAT(Steps(restored.Lease(1, 1)), ElementsAre("1:0[6,8)", "2:0[9,10)"));
}

TEST(DataLeasesTest, InBoundedAWorkerWithoutWorkKeepsUp) {
  DataLeases::Options options = Options(BOUNDED);
  options.samples = 4;
  DataLeases leases(options);
  leases.Join(0, 0);
  leases.Join(1, 0);
  EXPECT_THAT(Steps(leases.Lease(0, 0)), ElementsAre("0:0[0,2)"));
  EXPECT_THAT(Steps(leases.Lease(0, 1)), ElementsAre("1:0[2,4)"));
  // Worker 0 may be at step 1 only when worker 1 has come along.
  EXPECT_THAT(Steps(leases.Lease(1, 0)), ElementsAre("0:0[0,0)", "1:0[0,0)"));
  leases.Committed(0, 2);
  leases.Committed(1, 2);
  EXPECT_TRUE(leases.Lease(1, 2).finished());
}

TEST(DataLeasesTest, TheLastBatchesAreSharedOut) {
  DataLeases::Options options = Options(ASYNC);
  options.samples = 100;
  options.horizon = 1000;
  DataLeases leases(options);
  leases.Join(0, 0);
  leases.Join(1, 0);
  EXPECT_EQ(leases.Lease(0, 0).steps_size(), 12) << "half an even share of 50 batches";
  EXPECT_EQ(leases.Lease(1, 0).steps_size(), 9);
}

TEST(DataLeasesTest, AWorkerCountsAsItsProcesses) {
  for (const SyncMode mode : {SYNC, ASYNC}) {
    DataLeases leases(Options(mode));
    leases.Join(0, 0);
    leases.Join(1, 0);
    leases.SetProcesses(1, 3);
    EXPECT_THAT(Steps(leases.Lease(0, 0))[0], "0:0[0,2)");
    EXPECT_THAT(Steps(leases.Lease(1, 0))[0], "0:0[2,8)");
  }
}

TEST(DataLeasesTest, MaxStepsEndsTheJob) {
  DataLeases::Options options = Options(SYNC);
  options.max_steps = 1;
  DataLeases leases(options);
  leases.Join(0, 0);
  EXPECT_THAT(Steps(leases.Lease(0, 0)), ElementsAre("0:0[0,2)"));
  leases.Committed(0, 1);
  EXPECT_THAT(Steps(leases.Lease(0, 1)), IsEmpty());
  EXPECT_TRUE(leases.Lease(0, 1).finished());
}

// Promise 7: workers come, go and are lost at random; what is committed covers every position of
// every epoch exactly once.
class ExactlyOnceTest : public ::testing::TestWithParam<SyncMode> {};

TEST_P(ExactlyOnceTest, EveryPositionOfEveryEpochIsCommittedOnce) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    DataLeases::Options options = Options(GetParam());
    options.samples = 1 + random() % 40;
    options.epochs = 1 + random() % 3;
    options.batch_size = 1 + random() % 4;
    options.horizon = 1 + random() % 4;
    DataLeases leases(options);
    std::vector<int> times(options.samples * options.epochs, 0);
    std::map<Rank, Clock> clock;  // of live workers
    for (int event = 0; event < 100000 && !leases.Finished(); ++event) {
      const Rank rank = random() % 3;
      if (clock.count(rank) == 0) {
        clock[rank] = leases.FirstStep(rank);
        leases.Join(rank, clock[rank]);
      } else if (random() % 8 == 0) {
        leases.Lost(rank, clock[rank]);
        clock.erase(rank);
      } else {
        const LeaseReply reply = leases.Lease(rank, clock[rank]);
        if (reply.steps().empty()) continue;
        const StepLease& step = reply.steps(0);
        ASSERT_EQ(step.clock(), clock[rank]) << "seed " << seed;
        for (uint32_t i = 0; i < step.count(); ++i) {
          ++times[step.epoch() * options.samples + step.begin() + i];
        }
        leases.Committed(rank, ++clock[rank]);
      }
    }
    ASSERT_TRUE(leases.Finished()) << "seed " << seed;
    EXPECT_THAT(times, ::testing::Each(1)) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, ExactlyOnceTest, ::testing::Values(SYNC, BOUNDED, ASYNC),
                         [](const auto& info) { return SyncMode_Name(info.param); });

}  // namespace
}  // namespace syncline
