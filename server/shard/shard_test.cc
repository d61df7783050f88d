#include "server/shard/shard.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "common/status/status_matchers.h"
#include "common/threads/parallel_for.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using testing::HasSubstr;

// One tensor of two floats on one shard, plain SGD with rate 1.
ShardOptions Options(SyncMode mode) {
  ShardOptions options;
  options.job.set_sync_mode(mode);
  options.map.set_epoch(1);
  options.map.set_chunk_bytes(4096);
  TensorSpec* tensor = options.map.add_tensors();
  tensor->set_name("w");
  tensor->add_shape(2);
  options.map.add_owner(0);
  options.map.add_shards("localhost:1");
  options.job.mutable_optimizer()->set_learning_rate(1);
  return options;
}

void Admit(Shard* shard, Rank workers) {
  for (Rank rank = 0; rank < workers; ++rank) {
    UpdateMemberRequest admit;
    admit.set_rank(rank);
    admit.set_incarnation(1);
    EXPECT_TRUE(shard->UpdateMember(admit).ok());
  }
}

std::unique_ptr<Shard> Make(SyncMode mode, bool forget = false, Rank workers = 2,
                            Codec codec = CODEC_NONE) {
  ShardOptions options = Options(mode);
  options.job.set_push_codec(codec);
  options.forget_pushes_for_test = forget;
  auto shard = *Shard::Create(std::move(options));
  Admit(shard.get(), workers);
  return shard;
}

Sender Worker(Rank rank, Incarnation incarnation = 1) {
  Sender sender;
  sender.set_rank(rank);
  sender.set_incarnation(incarnation);
  sender.set_map_epoch(1);
  return sender;
}

absl::Status Push(Shard* shard, const Sender& sender, Clock clock, float value) {
  const float data[2] = {value, 0};
  auto owner = std::make_shared<std::vector<float>>(data, data + 2);
  return shard->Push(sender, clock, {{0, 0, Fragments::Of(owner->data(), 8, owner)}}).status();
}

float First(const Shard::PullResult& result) {
  float value;
  std::memcpy(&value, result.chunks.at(0).data.pieces()[0].data, sizeof(value));
  return value;
}

float Weight(Shard* shard) {
  float value = NAN;
  shard->Pull({}, {0, {}, true, {}}, [&](auto result) { value = First(*result); });
  return value;
}

TEST(Shard, AsyncAppliesEachPushOnce) {
  const auto shard = Make(ASYNC);
  SYNCLINE_EXPECT_OK(Push(shard.get(), Worker(0), 0, 3));
  SYNCLINE_EXPECT_OK(Push(shard.get(), Worker(0), 0, 3));
  EXPECT_EQ(Weight(shard.get()), -3);
  EXPECT_EQ(shard->Status().duplicates(), 1u);
}

TEST(Shard, AForgetfulShardAppliesItTwice) {
  const auto shard = Make(ASYNC, true);
  SYNCLINE_EXPECT_OK(Push(shard.get(), Worker(0), 0, 3));
  SYNCLINE_EXPECT_OK(Push(shard.get(), Worker(0), 0, 3));
  EXPECT_EQ(Weight(shard.get()), -6);
}

TEST(Shard, SyncAppliesTheWeightedMeanAndThenAnswersThePull) {
  const auto shard = Make(SYNC);
  SYNCLINE_EXPECT_OK(Push(shard.get(), Worker(1), 0, 8));
  SYNCLINE_EXPECT_OK(Push(shard.get(), Worker(0), 0, 4));
  float pulled = NAN;
  EXPECT_NE(shard->Pull(Worker(0), {1, {}, false, {}}, [&](auto r) { pulled = First(*r); }), 0u);
  EXPECT_THAT(shard->Commit(Worker(1), 0, 3, {0, 1}), IsOkAndHolds(true));
  EXPECT_TRUE(std::isnan(pulled));
  EXPECT_EQ(Weight(shard.get()), 0) << "nothing applies before the last commit";
  EXPECT_THAT(shard->Commit(Worker(0), 0, 1, {0, 1}), IsOkAndHolds(true));
  EXPECT_EQ(pulled, -7);
}

TEST(Shard, TellsWhileItGivesWeights) {
  ShardOptions options = Options(SYNC);
  int answering = 0;
  options.answering = [&](bool begins) { answering += begins ? 1 : -1; };
  const auto shard = *Shard::Create(std::move(options));
  Admit(shard.get(), 1);
  int during = 0;
  shard->Pull(Worker(0), {0, {}, false, {}}, [&](auto) { during = answering; });
  EXPECT_EQ(during, 1);
  EXPECT_EQ(answering, 0);
  EXPECT_NE(shard->Pull(Worker(0), {1, {}, false, {}}, [&](auto) { during = answering; }), 0u);
  EXPECT_EQ(answering, 0) << "one that waits is not answered yet";
  shard->Close();
}

TEST(Shard, ACommitNeedsThePushes) {
  const auto shard = Make(SYNC);
  EXPECT_THAT(shard->Commit(Worker(0), 0, 1, {0, 1}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("has not pushed")));
  EXPECT_THAT(shard->Commit(Worker(0), 0, 0, {0, 1}), IsOkAndHolds(true));
  EXPECT_THAT(shard->Commit(Worker(1), 0, 0, {0, 1}), IsOkAndHolds(true));
  EXPECT_EQ(Weight(shard.get()), 0);
  EXPECT_EQ(shard->Status().step(), 1u) << "a step without samples advances without an update";
}

TEST(Shard, RefusesStrangersAndNaN) {
  const auto shard = Make(ASYNC);
  EXPECT_THAT(Push(shard.get(), Worker(0, 2), 0, 1),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("join again")));
  EXPECT_THAT(Push(shard.get(), Worker(0), 0, NAN),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("tensor w")));
  EXPECT_EQ(Weight(shard.get()), 0);
}

// `snapshot` must outlive it.
StoredShard Stored(const ShardSnapshot& snapshot) {
  return {snapshot.step, snapshot.workers, [&snapshot](uint32_t chunk) -> absl::StatusOr<ChunkSnapshot> {
            return snapshot.chunks.at(chunk);
          }};
}

TEST(Shard, SnapshotComesAtItsStepAndRestores) {
  const auto shard = Make(SYNC);
  absl::StatusOr<ShardSnapshot> snapshot = absl::UnknownError("not yet");
  shard->SnapshotAt(1, [&](auto s) { snapshot = std::move(s); });
  EXPECT_FALSE(snapshot.ok());
  for (Rank rank : {0u, 1u}) {
    SYNCLINE_EXPECT_OK(Push(shard.get(), Worker(rank), 0, 2));
    SYNCLINE_EXPECT_OK(shard->Commit(Worker(rank), 0, 1, {0, 1}));
  }
  SYNCLINE_ASSERT_OK(snapshot);
  EXPECT_FALSE(shard->Restore(Stored(*snapshot)).ok()) << "workers are admitted";
  const auto other = Make(SYNC, false, 0);
  SYNCLINE_ASSERT_OK(other->Restore(Stored(*snapshot)));
  EXPECT_EQ(Weight(other.get()), -2);
  EXPECT_EQ(other->Status().step(), 1u);
}

// Of such a step some chunks are made and some are not, and nothing would ever answer it.
TEST(Shard, ASnapshotOfAStepThatIsBeingMadeIsRefused) {
  constexpr size_t kFloats = kBytesWorthThreads / sizeof(float);
  absl::StatusOr<ShardSnapshot> snapshot = absl::UnknownError("never answered");
  Shard* asked = nullptr;
  ShardOptions options = Options(SYNC);
  options.map.set_chunk_bytes(kBytesWorthThreads / 2);
  options.map.mutable_tensors(0)->set_shape(0, kFloats);
  options.map.add_owner(0);
  options.parallel_for = [&](size_t count, const std::function<void(size_t)>& body) {
    if (asked != nullptr) std::exchange(asked, nullptr)->SnapshotAt(0, [&](auto s) { snapshot = std::move(s); });
    for (size_t i = 0; i < count; ++i) body(i);
  };
  const auto shard = *Shard::Create(std::move(options));
  Admit(shard.get(), 1);
  const std::vector<float> half(kFloats / 2);
  for (const uint32_t chunk : {0u, 1u}) {
    const auto data = Fragments::Of(half.data(), half.size() * sizeof(float));
    SYNCLINE_EXPECT_OK(shard->Push(Worker(0), 0, {{chunk, 0, data}}));
  }
  asked = shard.get();
  SYNCLINE_EXPECT_OK(shard->Commit(Worker(0), 0, 1, {0}));
  EXPECT_EQ(shard->Status().step(), 1u);
  EXPECT_THAT(snapshot, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is past")));
}

// What a worker holds back of the one chunk.
WorkerState HeldBack(Clock clock, const std::vector<float>* floats) {
  WorkerState state;
  state.clock = clock;
  state.slots[{0, 0}] = Fragments::Of(floats->data(), floats->size() * sizeof(float));
  return state;
}

TEST(Shard, ASnapshotHasWhatWorkersCarryBeforeItsStep) {
  const std::vector<float> held = {3, 4};
  const auto shard = Make(SYNC, false, 1, TOPK);
  absl::StatusOr<ShardSnapshot> snapshot = absl::UnknownError("not yet");
  shard->SnapshotAt(1, [&](auto s) { snapshot = std::move(s); });
  std::vector<bool> wanted;
  const auto pull = [&](Clock clock) {
    shard->Pull(Worker(0), {clock, {}, false, {}},
                [&](auto r) { wanted.push_back(r->state_wanted); });
  };
  pull(0);
  EXPECT_THAT(shard->Commit(Worker(0), 0, 0, {0}), IsOkAndHolds(true));
  pull(1);
  SYNCLINE_ASSERT_OK(snapshot);
  SYNCLINE_ASSERT_OK(shard->KeepWorkerState(Worker(0), HeldBack(1, &held), false));
  pull(1);
  EXPECT_EQ(wanted, (std::vector<bool>{false, true, false}));
  EXPECT_TRUE(shard->AwaitWorkerStates(absl::ZeroDuration(), &*snapshot).empty());
  const auto other = Make(SYNC, false, 0, TOPK);
  SYNCLINE_ASSERT_OK(other->Restore(Stored(*snapshot)));
  UpdateMemberRequest admit;
  admit.set_incarnation(2);
  SYNCLINE_ASSERT_OK(other->UpdateMember(admit));
  const auto state = other->FetchWorkerState(Worker(0, 2));
  SYNCLINE_ASSERT_OK(state);
  ASSERT_NE(*state, nullptr);
  EXPECT_EQ((*state)->slots.at({0, 0}).pieces()[0].data,
            reinterpret_cast<const char*>(held.data()));
}

TEST(Shard, NoSnapshotOfAStepThatCarryingWorkersHaveBegun) {
  const auto shard = Make(SYNC, false, 1, ONEBIT);
  shard->Pull(Worker(0), {0, {}, false, {}}, [](const auto&) {});
  absl::Status status;
  shard->SnapshotAt(0, [&](const auto& s) { status = s.status(); });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("begun step 0")));
  UpdateMemberRequest remove;
  remove.set_incarnation(1);
  for (const auto action : {UpdateMemberRequest::FENCE, UpdateMemberRequest::REMOVE}) {
    remove.set_action(action);
    remove.set_drop(true);
    SYNCLINE_EXPECT_OK(shard->UpdateMember(remove));
  }
  shard->SnapshotAt(0, [&](const auto& s) { status = s.status(); });
  SYNCLINE_EXPECT_OK(status) << "nobody is there who could push of it";
}

TEST(Shard, RefusesWorkerStateThatDoesNotFit) {
  const std::vector<float> one = {3}, two = {3, 4};
  const auto shard = Make(ASYNC, false, 1, TOPK);
  EXPECT_THAT(shard->KeepWorkerState(Worker(0), HeldBack(1, &one), true),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("4 bytes, the chunk 8")));
  WorkerState slot = HeldBack(1, &two);
  slot.slots[{0, 9}] = slot.slots[{0, 0}];
  EXPECT_THAT(shard->KeepWorkerState(Worker(0), slot, true),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("slot is 9")));
  EXPECT_THAT(shard->KeepWorkerState(Worker(0, 2), HeldBack(1, &two), true),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("join again")));
  EXPECT_THAT(shard->FetchWorkerState(Worker(0)), IsOkAndHolds(nullptr)) << "nothing was kept";
  EXPECT_THAT(Make(ASYNC)->KeepWorkerState(Worker(0), HeldBack(1, &two), true),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("carry no state")));
}

}  // namespace
}  // namespace syncline
