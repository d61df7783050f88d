// A chunk moves from one shard to another, at every turn of the protocol. Two chunks of one weight each, one
// worker, learning rate 1: a push of -1 adds 1.

#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/shard/shard.h"

namespace syncline {
namespace {

using absl::StatusCode;

ShardMap Map(uint64_t epoch, std::vector<uint32_t> owners) {
  ShardMap map;
  map.set_epoch(epoch);
  map.set_chunk_bytes(4096);
  for (size_t i = 0; i < owners.size(); ++i) {
    TensorSpec* tensor = map.add_tensors();
    tensor->set_name("w" + std::to_string(i));
    tensor->add_shape(1);
    map.add_owner(owners[i]);
  }
  map.add_shards("a:1");
  map.add_shards("b:1");
  return map;
}

Sender Worker(uint64_t epoch) {
  Sender sender;
  sender.set_incarnation(1);
  sender.set_map_epoch(epoch);
  return sender;
}

class ShardMapChangeTest : public testing::TestWithParam<SyncMode> {
 protected:
  ShardMapChangeTest() {
    for (uint32_t i = 0; i < 2; ++i) {
      ShardOptions options;
      options.job.set_sync_mode(GetParam());
      options.job.mutable_optimizer()->set_learning_rate(1);
      options.map = Map(1, {0, 1});
      options.shard = i;
      options.hand_over = [this](const ShardMap& map, std::vector<ChunkSnapshot> chunks) {
        handed_epoch_ = map.epoch();
        handed_ = std::move(chunks);
      };
      shards_.push_back(*Shard::Create(std::move(options)));
      UpdateMemberRequest admit;
      admit.set_incarnation(1);
      SYNCLINE_EXPECT_OK(shards_[i]->UpdateMember(admit).status());
    }
  }
  bool sync() const { return GetParam() == SYNC; }

  // Chunk 0 goes to shard 1.
  absl::StatusOr<ChangeMapReply> Change(int shard, ChangeMapRequest::Phase phase,
                                        uint64_t from_step) {
    ChangeMapRequest request;
    request.set_phase(phase);
    *request.mutable_next()->mutable_map() = Map(2, {1, 1});
    request.mutable_next()->set_from_step(sync() ? from_step : 0);
    request.set_shard(static_cast<uint32_t>(shard));
    return shards_[shard]->ChangeMap(request);
  }
  void ChangeAll(ChangeMapRequest::Phase phase, uint64_t from_step) {
    for (int shard : {0, 1}) {
      const auto reply = Change(shard, phase, from_step);
      SYNCLINE_ASSERT_OK(reply.status());
      EXPECT_TRUE(reply->accepted());
    }
  }
  absl::Status Push(int shard, uint32_t chunk, Clock clock, uint64_t epoch) {
    const auto value = std::make_shared<float>(-1.0f);
    return shards_[shard]
        ->Push(Worker(epoch), clock, {{chunk, 0, Fragments::Of(value.get(), 4, value)}})
        .status();
  }
  absl::Status Commit(int shard, Clock clock, uint64_t epoch) {
    return shards_[shard]->Commit(Worker(epoch), clock, 1, {0}).status();
  }
  // The weight, or nothing while the pull waits.
  std::optional<absl::StatusOr<float>> Pull(int shard, uint32_t chunk, Clock clock,
                                            uint64_t epoch) {
    auto answer = std::make_shared<std::optional<absl::StatusOr<float>>>();
    shards_[shard]->Pull(Worker(epoch), {clock, {chunk}, false, {}}, [answer](auto result) {
      if (!result.ok()) {
        *answer = result.status();
        return;
      }
      float value;
      std::memcpy(&value, result->chunks[0].data.pieces()[0].data, sizeof(value));
      *answer = value;
    });
    return *answer;
  }
  void ExpectPulled(int shard, uint32_t chunk, Clock clock, uint64_t epoch, float weight) {
    const auto pulled = Pull(shard, chunk, clock, epoch);
    ASSERT_TRUE(pulled) << "it waits";
    SYNCLINE_ASSERT_OK(pulled->status());
    EXPECT_EQ(**pulled, weight);
  }
  // A step by the first map.
  void Step(Clock clock) {
    for (const int shard : {0, 1}) {
      SYNCLINE_ASSERT_OK(Push(shard, static_cast<uint32_t>(shard), clock, 1));
    }
    for (const int shard : {0, 1}) SYNCLINE_ASSERT_OK(Commit(shard, clock, 1));
  }

  std::vector<std::unique_ptr<Shard>> shards_;
  uint64_t handed_epoch_ = 0;
  std::vector<ChunkSnapshot> handed_;
};

TEST_P(ShardMapChangeTest, TheChunkGoesOnWhereItWas) {
  Step(0);
  ChangeAll(ChangeMapRequest::PREPARE, 2);
  EXPECT_TRUE(handed_.empty());
  ChangeAll(ChangeMapRequest::CONFIRM, 2);
  if (sync()) {
    EXPECT_TRUE(handed_.empty()) << "step 1 is still made by the old map";
    Step(1);
  }
  ASSERT_EQ(handed_.size(), 1u);
  EXPECT_EQ(handed_epoch_, 2u);
  const float weight = sync() ? 2 : 1;
  const Clock next = sync() ? 2 : 1;

  // By the old map nothing more is changed; in sync the first step's weights can still be read there.
  EXPECT_THAT(Push(0, 0, next, 1), StatusIs(StatusCode::kAborted));
  if (sync()) {
    ExpectPulled(0, 0, next, 1, weight);
  }
  EXPECT_THAT(Push(1, 0, next, 2), StatusIs(StatusCode::kUnavailable)) << "on its way";
  EXPECT_FALSE(Change(1, ChangeMapRequest::FINISH, 2)->accepted());

  SYNCLINE_EXPECT_OK(shards_[1]->Arrive(2, handed_));
  ExpectPulled(1, 0, next, 2, weight);
  // What was pushed before is remembered there, and the chunk may come twice.
  EXPECT_EQ(Push(1, 0, 0, 2).code(), sync() ? StatusCode::kAborted : StatusCode::kOk);
  SYNCLINE_EXPECT_OK(Push(1, 0, next, 2));
  SYNCLINE_EXPECT_OK(shards_[1]->Arrive(2, handed_));
  SYNCLINE_EXPECT_OK(Push(1, 1, next, 2));
  SYNCLINE_EXPECT_OK(Commit(1, next, 2));
  ExpectPulled(1, 0, next + 1, 2, weight + 1);

  ChangeAll(ChangeMapRequest::FINISH, 2);
  ChangeAll(ChangeMapRequest::FINISH, 2);
  EXPECT_EQ(shards_[0]->Status().chunks(), 0u);
  EXPECT_EQ(shards_[1]->Status().chunks(), 2u);
  ExpectPulled(1, 0, next + 1, 2, weight + 1);
}

TEST_P(ShardMapChangeTest, UntilItIsConfirmedItCanBeTakenBack) {
  Step(0);
  ChangeAll(ChangeMapRequest::PREPARE, 1);
  if (sync()) {
    EXPECT_FALSE(Pull(0, 0, 1, 1)) << "nobody begins the step before all shards are prepared";
  }
  ChangeAll(ChangeMapRequest::CANCEL, 1);
  ExpectPulled(0, 0, 1, 1, 1);
  Step(1);
  ExpectPulled(0, 0, 2, 1, 2);
  EXPECT_TRUE(handed_.empty());
  EXPECT_THAT(shards_[1]->Arrive(2, {}), StatusIs(StatusCode::kFailedPrecondition));
}

TEST_P(ShardMapChangeTest, InSyncAStepThatSomebodyBeganIsTooLate) {
  if (!sync()) return;
  Step(0);
  ExpectPulled(0, 0, 1, 1, 1);
  const auto late = Change(0, ChangeMapRequest::PREPARE, 1);
  SYNCLINE_ASSERT_OK(late.status());
  EXPECT_FALSE(late->accepted());
  EXPECT_EQ(late->step(), 1u);
  EXPECT_TRUE(Change(0, ChangeMapRequest::PREPARE, 2)->accepted());
}

INSTANTIATE_TEST_SUITE_P(Modes, ShardMapChangeTest, testing::Values(SYNC, BOUNDED, ASYNC));

}  // namespace
}  // namespace syncline
