#include "common/cluster/map_after_loss.h"

#include "common/cluster/rebalance.h"
#include "common/cluster/shard_map.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kA[] = "a:1", kB[] = "b:1", kC[] = "c:1", kD[] = "d:1";

// One tensor of as many chunks as there are owners.
ShardMap Map(const std::vector<std::string>& shards, const std::vector<uint32_t>& owners,
             const std::vector<uint32_t>& backups) {
  ShardMap map;
  map.set_epoch(5);
  map.set_chunk_bytes(4096);
  TensorSpec* tensor = map.add_tensors();
  tensor->set_name("w");
  tensor->add_shape(1024 * owners.size());
  map.mutable_shards()->Assign(shards.begin(), shards.end());
  map.mutable_owner()->Assign(owners.begin(), owners.end());
  map.set_replicas(static_cast<uint32_t>(1 + backups.size() / owners.size()));
  map.mutable_backup()->Assign(backups.begin(), backups.end());
  return map;
}

void Holds(Stock* stock, const std::string& address, uint32_t chunk, bool owned, uint64_t step,
           uint64_t version = 0) {
  ChangeMapReply::Holding* holding = (*stock)[address].add_holdings();
  holding->set_chunk(chunk);
  holding->set_owned(owned);
  holding->set_step(step);
  holding->set_version(version);
}

std::string Owner(const ShardMap& map, int chunk) { return map.shards(map.owner(chunk)); }
std::vector<std::string> Copies(const ShardMap& map, uint32_t chunk) {
  std::vector<std::string> copies;
  for (const uint32_t shard : Backups(map, chunk)) copies.push_back(map.shards(static_cast<int>(shard)));
  return copies;
}

TEST(MapAfterLossTest, WhoKeepsACopyOwnsWhatALostShardOwned) {
  const ShardMap map = Map({kA, kB, kC}, {0, 1, 2}, {1, 2, 0});
  Stock stock;
  Holds(&stock, kB, 1, true, 7);
  Holds(&stock, kB, 0, false, 7);
  Holds(&stock, kC, 2, true, 7);
  Holds(&stock, kC, 1, false, 6);
  const auto after = MapAfterLoss(map, {kA}, {}, false, stock);
  SYNCLINE_ASSERT_OK(after);
  SYNCLINE_EXPECT_OK(ValidateShardMap(*after));
  EXPECT_EQ(after->epoch(), 6u);
  EXPECT_THAT(after->shards(), ElementsAre(kB, kC));
  EXPECT_THAT(after->lost(), ElementsAre(kA));
  EXPECT_EQ(Owner(*after, 0), kB);
  EXPECT_EQ(Owner(*after, 1), kB);
  EXPECT_EQ(Owner(*after, 2), kC);
  EXPECT_THAT(Copies(*after, 1), ElementsAre(kC));
  EXPECT_THAT(Copies(*after, 2), ElementsAre());

  const auto maps = PlanRebalance(*after, {kB, kC, kA}, {});
  ASSERT_FALSE(maps.empty());
  EXPECT_EQ(maps.back().lost_size(), 0) << "it has come again";
}

TEST(MapAfterLossTest, TheCopyWithTheMostUpdates) {
  const ShardMap map = Map({kA, kB, kC}, {0}, {1, 2});
  Stock stock;
  Holds(&stock, kB, 0, false, 0, 41);
  Holds(&stock, kC, 0, false, 0, 42);
  const auto after = MapAfterLoss(map, {kA}, {}, false, stock);
  SYNCLINE_ASSERT_OK(after);
  EXPECT_EQ(Owner(*after, 0), kC);
  EXPECT_THAT(Copies(*after, 0), ElementsAre(kB));
}

// A chunk was on its way from a to b, and c was to keep the copy in place of d.
TEST(MapAfterLossTest, TheTargetIsLostBeforeItHadAnything) {
  const ShardMap map = Map({kA, kB, kC, kD}, {1}, {2});
  Stock stock;
  Holds(&stock, kA, 0, false, 9);  // given away
  Holds(&stock, kD, 0, false, 9);
  const auto after = MapAfterLoss(map, {kB}, {}, false, stock);
  SYNCLINE_ASSERT_OK(after);
  EXPECT_EQ(Owner(*after, 0), kA);
  EXPECT_THAT(Copies(*after, 0), ElementsAre(kD)) << "rather than none";
}

TEST(MapAfterLossTest, TheTargetIsLostAndWhatItMadeIsInItsCopy) {
  const ShardMap map = Map({kA, kB, kC, kD}, {1}, {2});
  Stock stock;
  Holds(&stock, kA, 0, false, 9);
  Holds(&stock, kC, 0, false, 10);
  Holds(&stock, kD, 0, false, 9);
  EXPECT_EQ(Owner(*MapAfterLoss(map, {kB}, {}, false, stock), 0), kC);
}

TEST(MapAfterLossTest, TheSourceIsLostOnceAllHasArrived) {
  const ShardMap map = Map({kA, kB, kC, kD}, {1}, {2});
  Stock stock;
  Holds(&stock, kB, 0, true, 9);
  Holds(&stock, kD, 0, false, 9);
  const auto after = MapAfterLoss(map, {kA}, {kB}, false, stock);
  SYNCLINE_ASSERT_OK(after);
  EXPECT_EQ(Owner(*after, 0), kB) << "also if it has just joined";
  EXPECT_THAT(Copies(*after, 0), ElementsAre(kD));
}

TEST(MapAfterLossTest, AJoiningShardWithoutAChunkOfItsOwnIsGivenUp) {
  const ShardMap map = Map({kA, kB, kC}, {1, 2}, {2, 0});
  Stock stock;
  for (const uint32_t chunk : {0u, 1u}) Holds(&stock, kA, chunk, chunk == 0, 9);
  Holds(&stock, kC, 0, false, 9);
  Holds(&stock, kC, 1, false, 9);
  const auto after = MapAfterLoss(map, {kB}, {kC}, false, stock);
  SYNCLINE_ASSERT_OK(after);
  EXPECT_EQ(Owner(*after, 1), kA) << "who has been there for longer";
  EXPECT_THAT(after->shards(), ElementsAre(kA));
  EXPECT_THAT(after->lost(), ElementsAre(kB, kC));
}

TEST(MapAfterLossTest, WithoutACopyAChunkIsLost) {
  const ShardMap map = Map({kA, kB}, {0, 1}, {1, 0});
  Stock stock;
  Holds(&stock, kB, 1, true, 3);
  EXPECT_THAT(MapAfterLoss(map, {kA}, {}, false, stock).status(),
              StatusIs(StatusCode::kDataLoss, HasSubstr("no copy of chunk 0")));
}

TEST(MapAfterLossTest, ATensorThatHasArrivedByHalfIsNoWhole) {
  const ShardMap map = Map({kA, kB, kC}, {1, 1}, {2, 2});
  Stock stock;
  Holds(&stock, kA, 0, false, 9);
  Holds(&stock, kA, 1, false, 9);
  Holds(&stock, kB, 1, true, 9);
  SYNCLINE_EXPECT_OK(MapAfterLoss(map, {kC}, {}, false, stock).status());
  EXPECT_THAT(MapAfterLoss(map, {kC}, {}, true, stock).status(), StatusIs(StatusCode::kDataLoss));
}

}  // namespace
}  // namespace syncline
