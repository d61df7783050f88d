// A push counts once, where parameter servers are known to have counted it twice or not at all. In `async`, one weight, two
// workers, learning rate 1: a push of -1 adds 1. What a copy knows of pushes is in shard_takeover_test.

#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/shard/two_shards.h"

namespace syncline {
namespace {

// On one shard.
class ExactlyOnceTest : public TwoShards, public testing::Test {
 protected:
  ExactlyOnceTest() {
    ShardOptions options;
    options.job.set_sync_mode(ASYNC);
    options.map = Map(1, {0}, {"a:1"});
    StartShard(std::move(options));
    Member(0, UpdateMemberRequest::ADMIT, 1);
  }

  absl::Status Push(Rank rank, Clock clock, Incarnation incarnation = 1) {
    return PushAs(Worker(1, rank, incarnation), 0, 0, clock);
  }
  float Weight() {
    float value = NAN;
    shards_[0]->Pull({}, {0, {}, true, {}}, [&](const auto& result) {
      std::memcpy(&value, result->chunks.at(0).data.pieces()[0].data, sizeof(value));
    });
    return value;
  }
};

TEST_F(ExactlyOnceTest, AnAcknowledgementIsLostWhileLaterPushesArrive) {
  SYNCLINE_ASSERT_OK(Push(0, 0));
  for (const Clock clock : {0, 1, 2}) SYNCLINE_ASSERT_OK(Push(1, clock));
  SYNCLINE_ASSERT_OK(Push(0, 0)) << "it was not heard of, so it is made again";
  SYNCLINE_ASSERT_OK(Push(0, 1));
  SYNCLINE_ASSERT_OK(Push(0, 0)) << "and the first attempt comes after all";
  EXPECT_EQ(Weight(), 5);
}

TEST_F(ExactlyOnceTest, WhatWasAppliedIsNeverForgotten) {
  SYNCLINE_ASSERT_OK(Push(0, 0));
  for (Clock clock = 0; clock < 100000; ++clock) SYNCLINE_ASSERT_OK(Push(1, clock));
  SYNCLINE_ASSERT_OK(Push(0, 0));
  EXPECT_EQ(Weight(), 100001);
}

TEST_F(ExactlyOnceTest, ItIsPartOfWhatACheckpointHas) {
  for (const Clock clock : {0, 1}) SYNCLINE_ASSERT_OK(Push(0, clock));
  std::vector<AppliedPushes> applied;
  shards_[0]->SnapshotAt(0, [&](const auto& snapshot) { applied = snapshot->chunks.at(0).applied; });
  ASSERT_EQ(applied.size(), 1u);
  EXPECT_EQ(applied[0].rank, 0u);
  EXPECT_EQ(applied[0].incarnation, 1u);
  EXPECT_EQ(applied[0].next, 2u);
}

// A worker that comes back counts its pushes from where it begins, be that before where it was.
TEST_F(ExactlyOnceTest, AnIncarnationsPushesAreItsOwn) {
  for (const Clock clock : {0, 1, 2, 3}) SYNCLINE_ASSERT_OK(Push(0, clock));
  Member(0, UpdateMemberRequest::FENCE);
  Member(0, UpdateMemberRequest::REMOVE);
  Member(0, UpdateMemberRequest::ADMIT, 0, 2);
  SYNCLINE_ASSERT_OK(Push(0, 2, 2)) << "it is not held up by what the one before had pushed";
  SYNCLINE_ASSERT_OK(Push(0, 2, 2));
  EXPECT_THAT(Push(0, 4, 1), StatusIs(absl::StatusCode::kFailedPrecondition)) << "which was on its way for long";
  EXPECT_EQ(Weight(), 5);
}

}  // namespace
}  // namespace syncline
