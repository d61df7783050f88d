#include "common/cluster/rebalance.h"

#include <algorithm>
#include <numeric>

#include "common/cluster/shard_map.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

constexpr uint64_t kChunk = 4096;

std::vector<std::string> Addresses(size_t count) {
  std::vector<std::string> addresses;
  for (size_t i = 0; i < count; ++i) addresses.push_back("host" + std::to_string(i) + ":1");
  return addresses;
}

TensorSpec Tensor(const std::string& name, uint64_t elements) {
  TensorSpec tensor;
  tensor.set_name(name);
  tensor.add_shape(elements);
  return tensor;
}

// 200 whole chunks and small ones.
ShardMap Map(size_t shards, bool whole = false) {
  std::vector<TensorSpec> tensors = {Tensor("a", 150 * 1024), Tensor("b", 50 * 1024 + 7)};
  for (int i = 0; i < 9; ++i) tensors.push_back(Tensor("c" + std::to_string(i), 10 * (i + 1)));
  const auto map = MakeShardMap(tensors, Addresses(shards), kChunk, whole);
  SYNCLINE_EXPECT_OK(map.status());
  return *map;
}

double LargestOverMean(const ShardMap& map) {
  const std::vector<uint64_t> bytes = ShardBytes(map);
  const double total = std::accumulate(bytes.begin(), bytes.end(), 0.0);
  return *std::max_element(bytes.begin(), bytes.end()) * bytes.size() / total;
}

class RebalanceTest : public testing::TestWithParam<std::pair<int, int>> {};

TEST_P(RebalanceTest, BalancesWithTheFewestBytes) {
  const auto [from, to] = GetParam();
  const ShardMap map = Map(from);
  const auto maps = PlanRebalance(map, Addresses(to), {false, 10 * kChunk});
  ASSERT_FALSE(maps.empty());
  const ShardMap* before = &map;
  uint64_t moved = 0;
  for (const ShardMap& next : maps) {
    SYNCLINE_EXPECT_OK(ValidateShardMap(next));
    EXPECT_EQ(next.epoch(), before->epoch() + 1);
    const uint64_t bytes = MovedBytes(*before, next);
    EXPECT_LE(bytes, 10 * kChunk);
    moved += bytes;
    before = &next;
  }
  EXPECT_EQ(moved, MovedBytes(map, maps.back())) << "a chunk moved twice";
  EXPECT_EQ(maps.back().shards_size(), to);
  EXPECT_LE(LargestOverMean(maps.back()), 1.1);
  const std::vector<uint64_t> bytes = ShardBytes(map);
  const double total = std::accumulate(bytes.begin(), bytes.end(), 0.0);
  const double least = total * std::abs(to - from) / std::max(from, to);
  EXPECT_LE(moved, 1.1 * least);
}

INSTANTIATE_TEST_SUITE_P(Counts, RebalanceTest,
                         testing::Values(std::pair{2, 5}, std::pair{5, 2}, std::pair{1, 8},
                                         std::pair{8, 1}, std::pair{4, 5}, std::pair{3, 2}));

TEST(RebalanceTest, WhereLoadCountsTooAShardMayHaveATenthMore) {
  ShardMap map = Map(2);
  std::vector<uint32_t> owners(map.owner().begin(), map.owner().end());
  for (int moved = 0, c = 0; moved < 9; ++c) {
    if (owners[c] == 0) owners[c] = 1, ++moved;
  }
  const auto maps = PlanOwners(map, owners, {false, 4 * kChunk});
  ASSERT_EQ(maps.size(), 3u);
  EXPECT_EQ(maps.back().epoch(), map.epoch() + 3);
  EXPECT_TRUE(std::equal(owners.begin(), owners.end(), maps.back().owner().begin()));
  RebalanceOptions options;
  EXPECT_FALSE(PlanRebalance(maps.back(), Addresses(2), options).empty());
  options.full = 1.1;
  EXPECT_TRUE(PlanRebalance(maps.back(), Addresses(2), options).empty());
  EXPECT_LE(LargestOverMean(PlanRebalance(maps.back(), Addresses(3), options).back()), 1.01) << "a new one gets its share";
}

TEST(RebalanceTest, NothingToDo) {
  EXPECT_TRUE(PlanRebalance(Map(3), Addresses(3), {}).empty());
}

TEST(RebalanceTest, AShardInTheMiddleGoesAndOneComes) {
  const auto maps = PlanRebalance(Map(3), {"host0:1", "host2:1", "host9:1"}, {});
  ASSERT_FALSE(maps.empty());
  EXPECT_EQ(maps.front().shards_size(), 4) << "it is there until it has given all away";
  ASSERT_EQ(maps.back().shards_size(), 3);
  EXPECT_EQ(maps.back().shards(1), "host2:1");
  EXPECT_LE(LargestOverMean(maps.back()), 1.1);
}

TEST(RebalanceTest, TensorsStayWhole) {
  const auto maps = PlanRebalance(Map(1, true), Addresses(2), {true, kChunk});
  for (const ShardMap& map : maps) {
    for (const ChunkInfo& chunk : Chunks(map)) {
      const int id = static_cast<int>(chunk.id);
      EXPECT_EQ(map.owner(id), map.owner(chunk.begin > 0 ? id - 1 : id)) << id;
    }
  }
  EXPECT_EQ(maps.back().shards_size(), 2);
}

TEST(RebalanceTest, MoreShardsThanChunks) {
  const auto one = MakeShardMap({Tensor("a", 5)}, Addresses(1), kChunk, false);
  SYNCLINE_ASSERT_OK(one.status());
  const auto maps = PlanRebalance(*one, Addresses(3), {});
  ASSERT_EQ(maps.size(), 1u);
  EXPECT_EQ(maps[0].shards_size(), 3);
}

ShardMap WithCopies(size_t shards, uint32_t replicas) {
  ShardMap map = Map(shards);
  map.set_replicas(replicas);
  PlaceCopies(false, &map);
  return map;
}

// Every chunk has all its copies, spread evenly.
void ExpectCopies(const ShardMap& map, size_t copies) {
  SYNCLINE_EXPECT_OK(ValidateShardMap(map));
  std::vector<uint64_t> load(map.shards_size());
  uint64_t total = 0;
  for (const ChunkInfo& chunk : Chunks(map)) {
    EXPECT_EQ(Backups(map, chunk.id).size(), copies) << chunk.id;
    for (const uint32_t shard : Backups(map, chunk.id)) {
      EXPECT_NE(shard, map.owner(static_cast<int>(chunk.id)));
      load[shard] += chunk.elements;
      total += chunk.elements;
    }
  }
  if (copies == 0) return;
  EXPECT_LE(*std::max_element(load.begin(), load.end()) * load.size(), 1.1 * total);
}

TEST(RebalanceTest, CopiesAreOnOtherShardsAndSpread) {
  ExpectCopies(WithCopies(2, 2), 1);
  ExpectCopies(WithCopies(5, 2), 1);
  ExpectCopies(WithCopies(5, 3), 2);
  ExpectCopies(WithCopies(2, 3), 1);
  ExpectCopies(WithCopies(1, 2), 0);
}

TEST(RebalanceTest, CopiesComeAndGoWithShards) {
  for (const auto& [from, to] : {std::pair{2, 5}, std::pair{5, 2}, std::pair{1, 2}, std::pair{3, 1}}) {
    const auto maps = PlanRebalance(WithCopies(from, 2), Addresses(to), {false, 10 * kChunk});
    ASSERT_FALSE(maps.empty());
    for (const ShardMap& map : maps) SYNCLINE_EXPECT_OK(ValidateShardMap(map));
    ExpectCopies(maps.back(), to == 1 ? 0 : 1);
    EXPECT_TRUE(PlanRebalance(maps.back(), Addresses(to), {}).empty());
  }
}

}  // namespace
}  // namespace syncline
