#include "server/shard/map_state.h"

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using Call = MapState::Call;

// Three chunks and their owners.
MapVersion Version(uint64_t epoch, std::vector<uint32_t> owners, uint64_t from_step = 0) {
  MapVersion version;
  version.mutable_map()->set_epoch(epoch);
  version.set_from_step(from_step);
  for (const uint32_t owner : owners) version.mutable_map()->add_owner(owner);
  for (const char* shard : {"a:1", "b:1"}) version.mutable_map()->add_shards(shard);
  return version;
}

const MapVersion& First() {
  static const MapVersion* const first = new MapVersion(Version(1, {0, 0, 1}));
  return *first;
}

TEST(MapStateTest, AChangeGoesThroughItsPhases) {
  MapState state(First().map(), 0, true);
  const MapVersion next = Version(2, {1, 0, 0}, 7);
  SYNCLINE_EXPECT_OK(state.Prepare(next, 0));
  EXPECT_TRUE(state.Holds(7));
  EXPECT_FALSE(state.Holds(6));
  EXPECT_THAT(state.Leaving(), ElementsAre(0));
  EXPECT_THAT(state.Arriving(), ElementsAre(2));
  EXPECT_EQ(state.newest_epoch(), 1u) << "workers do not hear of it before it is confirmed";
  EXPECT_FALSE(state.Finish(next).ok());

  SYNCLINE_EXPECT_OK(state.Confirm(next));
  EXPECT_FALSE(state.Holds(7));
  EXPECT_EQ(state.newest_epoch(), 2u);
  EXPECT_EQ(state.Describe().maps_size(), 2);
  EXPECT_FALSE(state.Cancel(next).ok());
  EXPECT_FALSE(state.Leaves(6));
  EXPECT_TRUE(state.Leaves(7));
  state.SetLeft();
  EXPECT_FALSE(state.Leaves(7));
  EXPECT_TRUE(state.ReadsLeaving(7));
  EXPECT_FALSE(state.ReadsLeaving(8));

  SYNCLINE_EXPECT_OK(state.Finish(next));
  EXPECT_EQ(state.map().epoch(), 2u);
  // Each may be said again.
  SYNCLINE_EXPECT_OK(state.Prepare(next, 0));
  SYNCLINE_EXPECT_OK(state.Confirm(next));
  SYNCLINE_EXPECT_OK(state.Finish(next));
  EXPECT_FALSE(state.changing());
}

TEST(MapStateTest, InSyncAStepGoesByItsMap) {
  MapState state(First().map(), 0, true);
  const MapVersion next = Version(2, {1, 0, 0}, 7);
  SYNCLINE_EXPECT_OK(state.Prepare(next, 0));
  SYNCLINE_EXPECT_OK(state.Confirm(next));
  SYNCLINE_EXPECT_OK(state.Check(1, 6, Call::kPush));
  EXPECT_THAT(state.Check(2, 6, Call::kPush), StatusIs(StatusCode::kAborted));
  EXPECT_THAT(state.Check(1, 7, Call::kPush), StatusIs(StatusCode::kAborted));
  SYNCLINE_EXPECT_OK(state.Check(2, 7, Call::kPush));
  // The old owner answers the pulls of the first step.
  SYNCLINE_EXPECT_OK(state.Check(1, 7, Call::kPull));
  SYNCLINE_EXPECT_OK(state.Check(2, 7, Call::kPull));
  EXPECT_THAT(state.Check(1, 8, Call::kPull), StatusIs(StatusCode::kAborted));
  EXPECT_THAT(state.Check(3, 8, Call::kPull), StatusIs(StatusCode::kUnavailable));
  state.SetLeft();
  SYNCLINE_EXPECT_OK(state.Check(2, 6, Call::kPush)) << "said again; another shard goes by the new map already";
  SYNCLINE_EXPECT_OK(state.Finish(next));
  SYNCLINE_EXPECT_OK(state.Check(1, 6, Call::kPush)) << "said again; it was made by the old map";
  EXPECT_THAT(state.Check(1, 7, Call::kPush), StatusIs(StatusCode::kAborted));
}

TEST(MapStateTest, ElsewhereAMapHoldsAtOnce) {
  MapState state(First().map(), 0, false);
  const MapVersion next = Version(2, {1, 0, 0});
  SYNCLINE_EXPECT_OK(state.Prepare(next, 0));
  EXPECT_FALSE(state.Holds(0));
  SYNCLINE_EXPECT_OK(state.Confirm(next));
  EXPECT_TRUE(state.Leaves(0));
  SYNCLINE_EXPECT_OK(state.Check(1, 9, Call::kPush));
  SYNCLINE_EXPECT_OK(state.Check(2, 9, Call::kPush));
  state.SetLeft();
  SYNCLINE_EXPECT_OK(state.Finish(next));
  // What was under way by the map before need not be sent again; but a commit has to go to others too.
  for (const Call call : {Call::kPush, Call::kPull}) SYNCLINE_EXPECT_OK(state.Check(1, 9, call));
  EXPECT_THAT(state.Check(1, 9, Call::kCommit), StatusIs(StatusCode::kAborted));
  EXPECT_THAT(state.Check(3, 9, Call::kPush), StatusIs(StatusCode::kUnavailable));
}

TEST(MapStateTest, OneChangeAtATimeAndInTurn) {
  MapState state(First().map(), 0, true);
  EXPECT_THAT(state.Prepare(Version(3, {0, 0, 0}, 7), 0), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(state.Prepare(Version(2, {0, 0}, 7), 0), StatusIs(StatusCode::kInvalidArgument));
  SYNCLINE_EXPECT_OK(state.Prepare(Version(2, {1, 0, 0}, 7), 0));
  // Before it is confirmed the step may be raised, or all of it taken back.
  SYNCLINE_EXPECT_OK(state.Prepare(Version(2, {1, 0, 0}, 9), 0));
  EXPECT_THAT(state.Confirm(Version(2, {1, 0, 0}, 7)), StatusIs(StatusCode::kFailedPrecondition));
  SYNCLINE_EXPECT_OK(state.Cancel(Version(2, {1, 0, 0}, 9)));
  EXPECT_FALSE(state.changing());
  SYNCLINE_EXPECT_OK(state.Prepare(Version(2, {1, 1, 1}, 11), 0));
  SYNCLINE_EXPECT_OK(state.Confirm(Version(2, {1, 1, 1}, 11)));
  EXPECT_THAT(state.Confirm(Version(2, {1, 1, 1}, 12)), StatusIs(StatusCode::kFailedPrecondition));
}

TEST(MapStateTest, AShardIsLostInTheMiddleOfAChange) {
  MapState state(First().map(), 0, true);
  const MapVersion next = Version(2, {1, 0, 0}, 7);
  SYNCLINE_EXPECT_OK(state.Prepare(next, 0));
  SYNCLINE_EXPECT_OK(state.Confirm(next));
  state.TakeStock();
  EXPECT_TRUE(state.still());
  SYNCLINE_EXPECT_OK(state.Confirm(next)) << "the shard is back, and the change goes on";
  EXPECT_FALSE(state.still());
  state.TakeStock();
  EXPECT_THAT(state.TakeOver(next, 0), StatusIs(StatusCode::kFailedPrecondition)) << "it is no new map";
  SYNCLINE_EXPECT_OK(state.TakeOver(Version(3, {0, 0, 0}), 0));
  EXPECT_FALSE(state.still());
  EXPECT_FALSE(state.changing());
  EXPECT_EQ(state.map().epoch(), 3u);
  SYNCLINE_EXPECT_OK(state.TakeOver(Version(3, {0, 0, 0}), 0)) << "again";
  SYNCLINE_EXPECT_OK(state.TakeOver(Version(5, {0, 0, 0}), 0)) << "one was lost before this shard heard of 4";
}

// Copies of three chunks that are shard 0's, on one shard each.
MapVersion WithCopies(uint64_t epoch, std::vector<uint32_t> backups) {
  MapVersion version = Version(epoch, {0, 0, 0});
  version.mutable_map()->add_shards("c:1");
  version.mutable_map()->set_replicas(2);
  for (const uint32_t backup : backups) version.mutable_map()->add_backup(backup);
  return version;
}

TEST(MapStateTest, CopiesThatComeOrGoAreNotKeptByEveryMap) {
  MapState state(WithCopies(1, {1, 1, 2}).map(), 1, false);
  EXPECT_TRUE(state.KeepsCopy(0));
  EXPECT_FALSE(state.KeepsCopy(2)) << "another shard's";
  const MapVersion next = WithCopies(2, {2, 1, 1});
  SYNCLINE_EXPECT_OK(state.Prepare(next, 1));
  // Its owner may go by the new map before this shard hears that the change is made.
  EXPECT_FALSE(state.KeepsCopy(0));
  EXPECT_TRUE(state.KeepsCopy(1));
  EXPECT_FALSE(state.KeepsCopy(2)) << "not made yet";
  SYNCLINE_EXPECT_OK(state.Confirm(next));
  state.SetLeft();
  EXPECT_FALSE(state.KeepsCopy(0));
  SYNCLINE_EXPECT_OK(state.Finish(next));
  EXPECT_FALSE(state.KeepsCopy(0));
  EXPECT_TRUE(state.KeepsCopy(1));
  EXPECT_TRUE(state.KeepsCopy(2));
}

TEST(MapStateTest, WhileShardsAreLostNobodyReadsCopies) {
  MapState state(WithCopies(1, {1, 1, 1}).map(), 1, false);
  state.TakeStock();
  EXPECT_FALSE(state.KeepsCopy(0));
  MapVersion next = WithCopies(2, {1, 1, 2});
  next.set_take_over(true);
  SYNCLINE_EXPECT_OK(state.TakeOver(next, 1));
  EXPECT_TRUE(state.KeepsCopy(0));
  EXPECT_FALSE(state.KeepsCopy(2));
}

}  // namespace
}  // namespace syncline
