// The policies by literal cases, and what all of them have in common.
#include "server/policy/sync_policy.h"

#include <memory>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/policy/bsp_policy.h"
#include "server/policy/policy_factory.h"

namespace syncline {
namespace {

using Pull = SyncPolicy::PullVerdict;

std::unique_ptr<SyncPolicy> Make(SyncMode mode, uint32_t backup = 0, bool drop = false) {
  JobManifest job;
  job.set_sync_mode(mode);
  job.set_staleness(2);
  job.set_backup_workers(backup);
  if (drop) job.set_on_worker_loss(DROP);
  return *MakePolicy(job, 0);
}

StepCommit At(Clock clock, std::vector<Rank> contributors, uint64_t samples = 1) {
  return {clock, samples, std::move(contributors)};
}

void Admit(SyncPolicy* policy, Rank count) {
  for (Rank r = 0; r < count; ++r) SYNCLINE_ASSERT_OK(policy->Admit(r, 1, 0));
}

class EveryPolicy : public testing::TestWithParam<SyncMode> {};

TEST_P(EveryPolicy, RepeatedCommitIsAcceptedAndCountsOnce) {
  const auto policy = Make(GetParam());
  Admit(policy.get(), 2);
  EXPECT_THAT(policy->Commit(0, At(0, {0, 1})), IsOkAndHolds(true));
  EXPECT_THAT(policy->Commit(0, At(0, {0, 1})), IsOkAndHolds(true));
  EXPECT_EQ(policy->clock(), 0u);
  EXPECT_FALSE(policy->Ready());
  EXPECT_EQ(policy->members().Find(0)->clock, 1u);
}

TEST_P(EveryPolicy, FencedIncarnationNeverComesBack) {
  const auto policy = Make(GetParam());
  Admit(policy.get(), 2);
  EXPECT_EQ(policy->Fence(1, 1).committed, 0u);
  EXPECT_FALSE(policy->members().Check(1, 1).ok());
  EXPECT_FALSE(policy->Admit(1, 2, 0).ok()) << "not removed yet";
  SYNCLINE_ASSERT_OK(policy->Remove(1, 1, 0, std::nullopt));
  SYNCLINE_EXPECT_OK(policy->Remove(1, 1, 0, std::nullopt));
  EXPECT_FALSE(policy->Admit(1, 1, 0).ok());
  SYNCLINE_EXPECT_OK(policy->Admit(1, 2, 0));
  SYNCLINE_EXPECT_OK(policy->members().Check(1, 2));
}

INSTANTIATE_TEST_SUITE_P(Modes, EveryPolicy, testing::Values(SYNC, BOUNDED, ASYNC));

TEST(BspPolicy, StepWaitsForEveryContributor) {
  const auto policy = Make(SYNC);
  Admit(policy.get(), 2);
  EXPECT_EQ(policy->OnPull(1), Pull::kWait);
  SYNCLINE_ASSERT_OK(policy->Commit(1, At(0, {0, 1}, 3)));
  EXPECT_FALSE(policy->Ready());
  SYNCLINE_ASSERT_OK(policy->Commit(0, At(0, {0, 1}, 5)));
  const auto ready = policy->Ready();
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->contributions[0].samples, 5u);
  EXPECT_EQ(ready->contributions[1].samples, 3u);
  policy->StepApplied();
  EXPECT_EQ(policy->OnPull(1), Pull::kGranted);
  EXPECT_EQ(policy->OnPull(0), Pull::kClosed);
}

TEST(BspPolicy, ContributorsMustAgree) {
  const auto policy = Make(SYNC);
  Admit(policy.get(), 3);
  SYNCLINE_ASSERT_OK(policy->Commit(0, At(0, {0, 1})));
  EXPECT_FALSE(policy->Commit(1, At(0, {0, 1, 2})).ok());
  EXPECT_FALSE(policy->Commit(2, At(0, {0, 1})).ok());
  EXPECT_FALSE(policy->Commit(1, At(1, {0, 1})).ok()) << "step 1 is not open";
}

TEST(BspPolicy, RemovalCountsTheCommitAnotherShardSaw) {
  const auto policy = Make(SYNC);
  Admit(policy.get(), 2);
  policy->Fence(1, 1);
  EXPECT_FALSE(policy->Remove(1, 1, 1, std::nullopt).ok());
  SYNCLINE_ASSERT_OK(policy->Remove(1, 1, 1, At(0, {0, 1}, 7)));
  SYNCLINE_ASSERT_OK(policy->Commit(0, At(0, {0, 1})));
  ASSERT_TRUE(policy->Ready());
  EXPECT_EQ(policy->Ready()->contributions[1].samples, 7u);
}

TEST(BspPolicy, DropMakesTheStepFromTheRestAndRedoWaits) {
  for (const bool drop : {false, true}) {
    const auto policy = Make(SYNC, 0, drop);
    Admit(policy.get(), 2);
    SYNCLINE_ASSERT_OK(policy->Commit(0, At(0, {0, 1})));
    policy->Fence(1, 1);
    EXPECT_FALSE(policy->Ready());
    SYNCLINE_ASSERT_OK(policy->Remove(1, 1, 0, std::nullopt));
    EXPECT_EQ(policy->Ready().has_value(), drop);
  }
}

TEST(BspPolicy, StepsNobodyIsLeftForAreEmpty) {
  const auto policy = Make(SYNC, 0, true);
  Admit(policy.get(), 1);
  SYNCLINE_ASSERT_OK(policy->Remove(0, 1, 0, std::nullopt));
  EXPECT_FALSE(policy->Ready());
  SYNCLINE_ASSERT_OK(policy->Admit(0, 2, 1));
  ASSERT_TRUE(policy->Ready());
  EXPECT_TRUE(policy->Ready()->contributions.empty());
  policy->StepApplied();
  EXPECT_FALSE(policy->Ready());
}

TEST(BspPolicy, BackupWorkerComesTooLate) {
  const auto policy = Make(SYNC, 1);
  Admit(policy.get(), 3);
  EXPECT_THAT(policy->Commit(2, At(0, {0, 1, 2})), IsOkAndHolds(true));
  EXPECT_THAT(policy->Commit(0, At(0, {0, 1, 2})), IsOkAndHolds(true));
  EXPECT_THAT(policy->Commit(1, At(0, {0, 1, 2})), IsOkAndHolds(false));
  policy->StepApplied();
  EXPECT_THAT(policy->Commit(1, At(0, {0, 1, 2})), IsOkAndHolds(false));
  EXPECT_THAT(policy->Commit(0, At(0, {0, 1, 2})), IsOkAndHolds(true));
}

TEST(BspPolicy, StopAt) {
  const auto policy = Make(SYNC);
  EXPECT_FALSE(policy->StopAt(0));
  EXPECT_TRUE(policy->StopAt(2));
  EXPECT_EQ(policy->OnPull(2), Pull::kStopped);
  EXPECT_EQ(policy->OnPull(1), Pull::kWait);
}

TEST(SspPolicy, PullWaitsForTheSlowestLiveWorker) {
  const auto policy = Make(BOUNDED);
  Admit(policy.get(), 2);
  EXPECT_EQ(policy->OnPull(2), Pull::kGranted);
  EXPECT_EQ(policy->OnPull(3), Pull::kWait);
  for (Clock c = 0; c < 3; ++c) SYNCLINE_ASSERT_OK(policy->Commit(0, At(c, {})));
  EXPECT_EQ(policy->OnPull(3), Pull::kWait);
  policy->Fence(1, 1);
  EXPECT_EQ(policy->OnPull(3), Pull::kWait);
  SYNCLINE_ASSERT_OK(policy->Remove(1, 1, 0, std::nullopt));
  EXPECT_EQ(policy->OnPull(3), Pull::kGranted);
}

TEST(AspPolicy, NeverWaits) {
  const auto policy = Make(ASYNC);
  Admit(policy.get(), 2);
  EXPECT_EQ(policy->OnPull(100), Pull::kGranted);
}

}  // namespace
}  // namespace syncline
