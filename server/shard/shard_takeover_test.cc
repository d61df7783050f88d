// A shard is lost at every turn of a step, and the one that keeps copies of its chunk goes on from them. Two
// chunks of one weight each, one on each of two shards, one worker, learning rate 1: a push of -1 adds 1.

#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/shard/two_shards.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

const absl::StatusOr<std::vector<uint32_t>> kArrived = std::vector<uint32_t>();
const absl::StatusOr<std::vector<uint32_t>> kLost = absl::UnavailableError("lost");

struct Sent {
  uint64_t epoch = 0;
  std::vector<ChunkSnapshot> chunks;
  CopiesSent done;
};

class ShardTakeoverTest : public TwoShards, public testing::Test {
 protected:
  // The first map, in which each shard keeps a copy of the other's chunk, or the one after shard 0 is lost.
  static ShardMap MapWithCopies(bool lost) {
    ShardMap map = lost ? Map(2, {0, 0}, {"b:1"}) : Map(1, {0, 1});
    map.set_replicas(2);
    for (const uint32_t chunk : {0u, 1u}) map.add_backup(lost ? 0 : 1 - chunk);
    if (lost) map.add_lost("a:1");
    return map;
  }
  void Start(SyncMode mode, double clip_norm = 0) {
    for (int i = 0; i < 2; ++i) {
      ShardOptions options;
      options.job.set_sync_mode(mode);
      options.job.mutable_optimizer()->set_clip_norm(clip_norm);
      options.map = MapWithCopies(false);
      options.seconds = seconds_;
      options.counted_on = counted_on_;
      options.replicate = [this, i](const std::string&, uint64_t epoch,
                                    std::vector<ChunkSnapshot> chunks,
                                    CopiesSent done) {
        sent_[i].push_back({epoch, std::move(chunks), std::move(done)});
      };
      StartShard(std::move(options));
    }
  }
  // What a shard has sent so far arrives at the other one, but nobody hears of that.
  void Arrive(int from) {
    for (const Sent& sent : sent_[from]) {
      SYNCLINE_EXPECT_OK(shards_[1 - from]->Keep(sent.epoch, sent.chunks).status());
    }
  }
  // It arrives, and the sender hears of it.
  void Copy(int from) {
    while (!sent_[from].empty()) {
      Arrive(from);
      for (const Sent& sent : std::exchange(sent_[from], {})) sent.done(kArrived);
    }
  }
  // A whole step, by the first map.
  void StepAndCopy(Clock clock) {
    Step(clock);
    for (const int shard : {0, 1}) Copy(shard);
  }
  absl::Status LoseShard0() {
    ChangeMapRequest request;
    request.set_phase(ChangeMapRequest::TAKE_OVER);
    *request.mutable_next()->mutable_map() = MapWithCopies(true);
    return shards_[1]->ChangeMap(request).status();
  }

  std::vector<Sent> sent_[2];
  std::function<double()> seconds_;
  std::function<bool(uint64_t)> counted_on_;
  bool heard_ = true;
};

TEST_F(ShardTakeoverTest, NobodyPullsAStepBeforeTheCopiesHaveIt) {
  Start(SYNC);
  SYNCLINE_ASSERT_OK(Push(0, 0, 0, 1));
  SYNCLINE_ASSERT_OK(Commit(0, 0, 1));
  EXPECT_FALSE(Pull(0, 0, 1, 1));
  Arrive(0);
  EXPECT_FALSE(Pull(0, 0, 1, 1));
  Copy(0);
  ExpectPulled(0, 0, 1, 1, 1);
}

TEST_F(ShardTakeoverTest, LostBetweenTwoSteps) {
  Start(SYNC);
  StepAndCopy(0);
  SYNCLINE_ASSERT_OK(LoseShard0());
  SYNCLINE_ASSERT_OK(LoseShard0()) << "again";
  ExpectPulled(1, 0, 1, 2, 1);
  ExpectPulled(1, 1, 1, 2, 1);
  EXPECT_THAT(Pull(1, 1, 1, 1)->status(), StatusIs(StatusCode::kAborted, HasSubstr("fetch")));
  for (const uint32_t chunk : {0u, 1u}) SYNCLINE_ASSERT_OK(Push(1, chunk, 1, 2));
  SYNCLINE_ASSERT_OK(Commit(1, 1, 2));
  ExpectPulled(1, 0, 2, 2, 2);
}

TEST_F(ShardTakeoverTest, LostWithAPushThatTheOtherCommittedUpon) {
  Start(SYNC);
  StepAndCopy(0);
  PushAll(1);
  // The commit reaches shard 1 alone, which makes the step, and then has to make it for chunk 0.
  SYNCLINE_ASSERT_OK(Commit(1, 1, 1));
  Copy(1);
  SYNCLINE_ASSERT_OK(LoseShard0());
  EXPECT_FALSE(Pull(1, 1, 2, 2)) << "half a step";
  EXPECT_THAT(shards_[1]->Status().recovering(), HasSubstr("rank 0"));
  EXPECT_THAT(Commit(1, 1, 2), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("has not pushed")));
  for (const uint32_t chunk : {0u, 1u}) SYNCLINE_ASSERT_OK(Push(1, chunk, 1, 2));
  SYNCLINE_ASSERT_OK(Commit(1, 1, 2));
  ExpectPulled(1, 0, 2, 2, 2);
  ExpectPulled(1, 1, 2, 2, 2);
  EXPECT_EQ(shards_[1]->Status().recovering(), "");
}

TEST_F(ShardTakeoverTest, LostAheadOfTheOther) {
  Start(SYNC);
  StepAndCopy(0);
  PushAll(1);
  SYNCLINE_ASSERT_OK(Commit(0, 1, 1));
  Arrive(0);  // and the answer is lost
  SYNCLINE_ASSERT_OK(LoseShard0());
  for (const uint32_t chunk : {0u, 1u}) SYNCLINE_ASSERT_OK(Push(1, chunk, 1, 2)) << "as the worker does";
  SYNCLINE_ASSERT_OK(Commit(1, 1, 2));
  ExpectPulled(1, 0, 2, 2, 2);
  ExpectPulled(1, 1, 2, 2, 2);
}

// Shard 1 lacks the other's norm, which nobody can tell it any more.
TEST_F(ShardTakeoverTest, LostAheadOfTheOtherWithTheNormOfTheStep) {
  constexpr double kLimit = 0.5;
  Start(SYNC, kLimit);
  Step(0);
  SYNCLINE_ASSERT_OK(shards_[0]->SetPeerNorms(0, *shards_[1]->StepNorms(0)).status());
  Arrive(0);
  SYNCLINE_ASSERT_OK(LoseShard0());
  EXPECT_TRUE(shards_[1]->StepNorms(0)->has_gradient_scale()) << "which a third shard would lack as well";
  for (const uint32_t chunk : {0u, 1u}) SYNCLINE_ASSERT_OK(Push(1, chunk, 0, 2)) << "as the worker does";
  SYNCLINE_ASSERT_OK(Commit(1, 0, 2));
  const auto clipped = static_cast<float>(kLimit / (std::sqrt(2.0) + 1e-6));
  for (const uint32_t chunk : {0u, 1u}) ExpectPulled(1, chunk, 1, 2, clipped);
}

TEST_F(ShardTakeoverTest, ACopyThatDoesNotSayItsScaleIsNotEnough) {
  Start(SYNC, 0.5);
  Step(0);
  SYNCLINE_ASSERT_OK(shards_[0]->SetPeerNorms(0, *shards_[1]->StepNorms(0)).status());
  for (ChunkSnapshot& chunk : sent_[0].at(0).chunks) chunk.last.gradient_scale.reset();
  Arrive(0);
  EXPECT_THAT(LoseShard0(), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("scaled by")));
}

// Between the passes of a layer-wise step a chunk is neither the one before it nor the one after.
TEST_F(ShardTakeoverTest, NoCopyIsMadeInTheMiddleOfAStep) {
  bool armed = false;
  std::optional<size_t> sent;
  seconds_ = [&] {
    if (std::exchange(armed, false)) {
      std::exchange(sent_[0], {}).at(0).done(kLost);  // so it is to be sent again
      sent = sent_[0].size();
    }
    return 0.0;
  };
  Start(SYNC);
  Step(0);
  PushAll(1);
  armed = true;
  SYNCLINE_ASSERT_OK(Commit(0, 1, 1));
  EXPECT_EQ(sent, 0u);
  EXPECT_EQ(sent_[0].size(), 1u) << "but after it";
}

TEST_F(ShardTakeoverTest, AWorkerThatIsGoneTooIsNotWaitedFor) {
  Start(SYNC);
  PushAll(0);
  SYNCLINE_ASSERT_OK(Commit(1, 0, 1));
  SYNCLINE_ASSERT_OK(LoseShard0());
  EXPECT_FALSE(shards_[1]->Status().unrecoverable());
  Member(1, UpdateMemberRequest::FENCE);
  EXPECT_TRUE(shards_[1]->Status().unrecoverable());
}

TEST_F(ShardTakeoverTest, WithAWorkerGoneBeforeThereIsNothingToGoOnFrom) {
  Start(SYNC);
  PushAll(0);
  SYNCLINE_ASSERT_OK(Commit(1, 0, 1));
  Member(1, UpdateMemberRequest::FENCE);
  EXPECT_THAT(LoseShard0(), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("worker is gone")));
}

TEST_F(ShardTakeoverTest, AShardThatWasGivenUpIsNotHeardAnyMore) {
  Start(SYNC);
  SYNCLINE_ASSERT_OK(Push(0, 0, 0, 1));
  SYNCLINE_ASSERT_OK(Commit(0, 0, 1));
  SYNCLINE_ASSERT_OK(LoseShard0());
  ASSERT_EQ(sent_[0].size(), 1u);
  EXPECT_THAT(shards_[1]->Keep(1, sent_[0][0].chunks).status(), StatusIs(StatusCode::kFailedPrecondition));
  sent_[0][0].done(kLost);
  EXPECT_FALSE(Pull(0, 0, 1, 1)) << "and makes nothing that others see";
}

TEST_F(ShardTakeoverTest, AsyncPushesAreSafeWhenTheCopiesHaveThem) {
  Start(ASYNC);
  SYNCLINE_ASSERT_OK(Push(0, 0, 0, 1));
  int safe = 0;
  shards_[0]->WhenSafe([&](const absl::Status& status) { safe += status.ok(); });
  EXPECT_EQ(safe, 0);
  SYNCLINE_ASSERT_OK(Push(0, 0, 1, 1)) << "it does not wait for the others";
  ASSERT_EQ(sent_[0].size(), 1u) << "one at a time";
  Arrive(0);
  std::exchange(sent_[0], {})[0].done(kArrived);
  EXPECT_EQ(safe, 1);
  SYNCLINE_ASSERT_OK(LoseShard0());
  // The second push was not acknowledged, so it is made again; the first one may be.
  for (const Clock clock : {0, 1}) SYNCLINE_ASSERT_OK(Push(1, 0, clock, 2));
  ExpectPulled(1, 0, 2, 2, 2);
}

TEST_F(ShardTakeoverTest, ClosingTellsWhoWaits) {
  Start(ASYNC);
  SYNCLINE_ASSERT_OK(Push(0, 0, 0, 1));
  absl::Status status;
  shards_[0]->WhenSafe([&](const absl::Status& safe) { status = safe; });
  shards_[0]->Close();
  EXPECT_EQ(status.code(), StatusCode::kCancelled);
}

// The weight of chunk 0 as the shard that keeps a copy has it.
class CopyReadsTest : public ShardTakeoverTest {
 protected:
  absl::StatusOr<float> PullCopy(bool copies = true) {
    absl::StatusOr<float> weight = absl::UnknownError("it waits");
    Shard::PullSpec spec;
    spec.chunks = {0};
    spec.copies = copies;
    shards_[1]->Pull(Worker(1), spec, [&weight](auto result) {
      if (!result.ok()) {
        weight = result.status();
        return;
      }
      float value;
      std::memcpy(&value, result->chunks[0].data.pieces()[0].data, sizeof(value));
      weight = value;
    });
    return weight;
  }
};

TEST_F(CopyReadsTest, ACopyHasAllThatWasAcknowledged) {
  Start(ASYNC);
  EXPECT_THAT(PullCopy(false), StatusIs(StatusCode::kAborted));
  EXPECT_THAT(PullCopy(), IsOkAndHolds(0));
  SYNCLINE_ASSERT_OK(Push(0, 0, 0, 1));
  bool safe = false;
  shards_[0]->WhenSafe([&safe](const absl::Status&) { safe = true; });
  EXPECT_THAT(PullCopy(), IsOkAndHolds(0));
  EXPECT_FALSE(safe);
  Copy(0);
  EXPECT_TRUE(safe);
  EXPECT_THAT(PullCopy(), IsOkAndHolds(1));
  EXPECT_GT(shards_[1]->Work().at(0).bytes, 0u);
  EXPECT_FALSE(shards_[1]->Work().at(0).owned);
}

TEST_F(CopyReadsTest, NotInSync) {
  Start(SYNC);
  EXPECT_THAT(PullCopy(), StatusIs(StatusCode::kAborted));
}

TEST_F(CopyReadsTest, NotWhileShardsAreLost) {
  Start(ASYNC);
  ChangeMapRequest request;
  request.set_phase(ChangeMapRequest::TAKE_STOCK);
  SYNCLINE_ASSERT_OK(shards_[1]->ChangeMap(request).status());
  EXPECT_THAT(PullCopy(), StatusIs(StatusCode::kAborted));
}

// It may have been given up, and nobody waits for its copies.
TEST_F(CopyReadsTest, NotOnceTheCoordinatorWasNotHeardOfForLong) {
  counted_on_ = [this](uint64_t epoch) { return epoch == 1 && heard_; };
  Start(ASYNC);
  EXPECT_THAT(PullCopy(), IsOkAndHolds(0));
  heard_ = false;
  EXPECT_THAT(PullCopy(), StatusIs(StatusCode::kAborted));
}

}  // namespace
}  // namespace syncline
