// A push counts once, where parameter servers are known to have counted it twice or not at all. In `async`, one weight, two
// workers, learning rate 1: a push of -1 adds 1. What a copy knows of pushes is in shard_takeover_test.

#include <cmath>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/shard/shard.h"

namespace syncline {
namespace {

class ExactlyOnceTest : public testing::Test {
 protected:
  ExactlyOnceTest() : shard_(NewShard()) {
    for (const Rank rank : {0, 1}) Member(rank, 1, UpdateMemberRequest::ADMIT);
  }

  static std::unique_ptr<Shard> NewShard() {
    ShardOptions options;
    options.job.set_sync_mode(ASYNC);
    options.job.mutable_optimizer()->set_learning_rate(1);
    options.map.set_epoch(1);
    options.map.set_chunk_bytes(4096);
    TensorSpec* tensor = options.map.add_tensors();
    tensor->set_name("w");
    tensor->add_shape(1);
    options.map.add_owner(0);
    options.map.add_shards("a:1");
    return *Shard::Create(std::move(options));
  }
  void Member(Rank rank, Incarnation incarnation, UpdateMemberRequest::Action action) {
    UpdateMemberRequest request;
    request.set_action(action);
    request.set_rank(rank);
    request.set_incarnation(incarnation);
    SYNCLINE_ASSERT_OK(shard_->UpdateMember(request).status());
  }
  absl::Status Push(Rank rank, Clock clock, Incarnation incarnation = 1) {
    Sender sender;
    sender.set_rank(rank);
    sender.set_incarnation(incarnation);
    sender.set_map_epoch(1);
    const auto value = std::make_shared<float>(-1.0f);
    return shard_->Push(sender, clock, {{0, 0, Fragments::Of(value.get(), 4, value)}}).status();
  }
  float Weight() {
    float value = NAN;
    shard_->Pull({}, {0, {}, true, {}}, [&](const auto& result) {
      std::memcpy(&value, result->chunks.at(0).data.pieces()[0].data, sizeof(value));
    });
    return value;
  }

  std::unique_ptr<Shard> shard_;
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
  shard_->SnapshotAt(0, [&](const auto& snapshot) { applied = snapshot->chunks.at(0).applied; });
  ASSERT_EQ(applied.size(), 1u);
  EXPECT_EQ(applied[0].rank, 0u);
  EXPECT_EQ(applied[0].incarnation, 1u);
  EXPECT_EQ(applied[0].next, 2u);
}

// A worker that comes back counts its pushes from where it begins, be that before where it was.
TEST_F(ExactlyOnceTest, AnIncarnationsPushesAreItsOwn) {
  for (const Clock clock : {0, 1, 2, 3}) SYNCLINE_ASSERT_OK(Push(0, clock));
  Member(0, 1, UpdateMemberRequest::FENCE);
  Member(0, 1, UpdateMemberRequest::REMOVE);
  Member(0, 2, UpdateMemberRequest::ADMIT);
  SYNCLINE_ASSERT_OK(Push(0, 2, 2)) << "it is not held up by what the one before had pushed";
  SYNCLINE_ASSERT_OK(Push(0, 2, 2));
  EXPECT_THAT(Push(0, 4, 1), StatusIs(absl::StatusCode::kFailedPrecondition)) << "which was on its way for long";
  EXPECT_EQ(Weight(), 5);
}

}  // namespace
}  // namespace syncline
