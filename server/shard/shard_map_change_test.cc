// A chunk moves from one shard to another, at every turn of the protocol. Two chunks of one weight each, one
// worker, learning rate 1: a push of -1 adds 1.

#include <utility>
#include <vector>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/shard/two_shards.h"

namespace syncline {
namespace {

using absl::StatusCode;

class ShardMapChangeTest : public TwoShards, public testing::TestWithParam<SyncMode> {
 protected:
  ShardMapChangeTest() {
    for (int i = 0; i < 2; ++i) {
      ShardOptions options;
      options.job.set_sync_mode(GetParam());
      options.map = Map(1, {0, 1});
      options.hand_over = [this](const ShardMap& map, std::vector<ChunkSnapshot> chunks) {
        handed_epoch_ = map.epoch();
        handed_ = std::move(chunks);
      };
      StartShard(std::move(options));
    }
  }
  bool sync() const { return GetParam() == SYNC; }

  // Chunk 0 goes to shard 1.
  absl::StatusOr<ChangeMapReply> Change(int shard, ChangeMapRequest::Phase phase,
                                        uint64_t from_step, uint64_t number = 0) {
    ChangeMapRequest request;
    request.set_number(number);
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
  int arrived = 0;
  EXPECT_TRUE(shards_[1]->WhenArrived([&arrived](const absl::Status& status) { arrived += status.ok(); }));
  EXPECT_FALSE(Pull(1, 0, next, 2)) << "it waits too";
  EXPECT_FALSE(Change(1, ChangeMapRequest::FINISH, 2)->accepted());
  EXPECT_EQ(arrived, 0);

  SYNCLINE_EXPECT_OK(shards_[1]->Arrive(2, handed_));
  EXPECT_EQ(arrived, 1);
  EXPECT_FALSE(shards_[1]->WhenArrived([](const absl::Status&) {}));
  ExpectPulled(1, 0, next, 2, weight);
  // What was pushed before is remembered there, and the chunk may come twice.
  SYNCLINE_EXPECT_OK(Push(1, 0, 0, 2));
  SYNCLINE_EXPECT_OK(Push(1, 0, next, 2));
  SYNCLINE_EXPECT_OK(shards_[1]->Arrive(2, handed_));
  SYNCLINE_EXPECT_OK(Push(1, 1, next, 2));
  SYNCLINE_EXPECT_OK(Commit(1, next, 2));
  ExpectPulled(1, 0, next + 1, 2, weight + 1);

  ChangeAll(ChangeMapRequest::FINISH, 2);
  ChangeAll(ChangeMapRequest::FINISH, 2);
  EXPECT_TRUE(shards_[1]->CommitsWithPush(1)) << "sent by the map before, it is refused for that";
  EXPECT_EQ(shards_[1]->CommitsWithPush(2), !sync());
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

// The network may keep a call for long after its sender gave it up.
TEST_P(ShardMapChangeTest, ACallThatComesLateChangesNothing) {
  Step(0);
  SYNCLINE_EXPECT_OK(Change(0, ChangeMapRequest::CANCEL, 1, 2));
  EXPECT_THAT(Change(0, ChangeMapRequest::PREPARE, 1, 1).status(), StatusIs(StatusCode::kAborted));
  ExpectPulled(0, 0, 1, 1, 1);  // nobody holds the step
  Step(1);
  SYNCLINE_EXPECT_OK(Change(0, ChangeMapRequest::PREPARE, 2, 4));
  EXPECT_THAT(Change(0, ChangeMapRequest::CANCEL, 2, 3).status(), StatusIs(StatusCode::kAborted));
  SYNCLINE_EXPECT_OK(Change(0, ChangeMapRequest::CONFIRM, 2, 5)) << "it is prepared still";
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

// Found by RescaleByMode.WithCopies: what it waits for is said to the shards of the new map, which this one may not be.
TEST_P(ShardMapChangeTest, APullThatWaitsByAnOlderMapIsRefused) {
  if (GetParam() != BOUNDED) return;
  UpdateMemberRequest slow;
  slow.set_action(UpdateMemberRequest::ADMIT);
  slow.set_rank(1);
  slow.set_incarnation(1);
  SYNCLINE_ASSERT_OK(shards_[0]->UpdateMember(slow).status());
  std::optional<absl::Status> answer;
  shards_[0]->Pull(Worker(1), {9, {0}, false, {}}, [&answer](const auto& result) { answer = result.status(); });
  ChangeAll(ChangeMapRequest::PREPARE, 0);
  ChangeAll(ChangeMapRequest::CONFIRM, 0);
  SYNCLINE_ASSERT_OK(shards_[1]->Arrive(2, handed_));
  EXPECT_FALSE(answer);
  ChangeAll(ChangeMapRequest::FINISH, 0);
  ASSERT_TRUE(answer);
  EXPECT_THAT(*answer, StatusIs(StatusCode::kAborted));
}

INSTANTIATE_TEST_SUITE_P(Modes, ShardMapChangeTest, testing::Values(SYNC, BOUNDED, ASYNC));

}  // namespace
}  // namespace syncline
