#include "worker/client/router.h"

#include <map>
#include <set>
#include <vector>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using testing::ElementsAre;

// Two tensors of 3 and 1 chunks of 4 KiB, the last of each smaller.
ShardMap Map(int shards) {
  std::vector<TensorSpec> tensors(2);
  tensors[0].set_name("a");
  tensors[0].add_shape(2100);
  tensors[1].set_name("b");
  tensors[1].add_shape(10);
  std::vector<std::string> addresses;
  for (int i = 0; i < shards; ++i) addresses.push_back("h:" + std::to_string(i + 1));
  return *MakeShardMap(tensors, addresses, 4096, false);
}

TEST(RouterTest, EveryChunkIsInOnePullAndOnePush) {
  for (const int shards : {1, 2, 3}) {
    const ShardMap map = Map(shards);
    const Router router(map, std::vector<size_t>(map.shards_size(), 8192));
    std::multiset<uint32_t> pulled, pushed;
    for (const auto& group : router.pulls()) {
      for (const uint32_t id : group.chunks) {
        EXPECT_EQ(map.owner(id), group.shard);
        pulled.insert(id);
      }
    }
    for (size_t tensor = 0; tensor < router.tensors(); ++tensor) {
      for (const auto& group : router.GroupsOf({tensor})) {
        for (const uint32_t id : group.chunks) {
          EXPECT_EQ(map.owner(id), group.shard);
          EXPECT_EQ(router.chunks()[id].tensor, tensor);
          pushed.insert(id);
        }
      }
    }
    EXPECT_THAT(pulled, ElementsAre(0, 1, 2, 3));
    EXPECT_EQ(pulled, pushed);
  }
}

TEST(RouterTest, EveryShardIsPulledFrom) {
  const Router router(Map(6), std::vector<size_t>(6, 8192));
  std::set<uint32_t> shards;
  for (const auto& group : router.pulls()) shards.insert(group.shard);
  EXPECT_EQ(shards.size(), 6u) << "four chunks, so two shards have none";
}

TEST(RouterTest, MessagesKeepToTheirSize) {
  const Router router(Map(1), {8192});
  ASSERT_EQ(router.pulls().size(), 2u);
  EXPECT_THAT(router.pulls()[0].chunks, ElementsAre(0, 1));
  EXPECT_THAT(router.pulls()[1].chunks, ElementsAre(2, 3));
  const auto pushes = router.GroupsOf({1, 0});
  ASSERT_EQ(pushes.size(), 2u) << "small tensors share a message";
  EXPECT_THAT(pushes[0].chunks, ElementsAre(3, 0));
  EXPECT_THAT(pushes[1].chunks, ElementsAre(1, 2));
  EXPECT_EQ(Router(Map(1), {1}).pulls().size(), 4u) << "a chunk alone may be larger";
  EXPECT_EQ(router.tensor_chunks(0), 3u);
}

TEST(RouterTest, SlotsOfTablesAndOtherChunksGoInMessagesOfTheirOwn) {
  std::vector<TensorSpec> tensors(2);
  tensors[0].set_name("w");
  tensors[0].add_shape(2048);
  tensors[1].set_name("rows");
  tensors[1].mutable_table()->set_dim(3);
  tensors[1].mutable_table()->set_slots(2);
  const Router router(*MakeShardMap(tensors, {"h:1"}, 4096, false), {size_t{1} << 20});
  const auto groups = router.GroupsOfChunks({0, 1, 2, 3});
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_THAT(groups[0].chunks, ElementsAre(0, 1));
  EXPECT_THAT(groups[1].chunks, ElementsAre(2, 3));
}

TEST(RouterTest, AMessageHasRoomForSoManyChunks) {
  TensorSpec tensor;
  tensor.set_name("w");
  tensor.add_shape(1024 * (Router::kMaxGroupChunks + 1));  // chunks of 4 KiB
  const ShardMap map = *MakeShardMap({tensor}, {"h:1"}, 4096, false);
  const Router router(map, {size_t{1} << 30});
  ASSERT_EQ(router.pulls().size(), 2u);
  EXPECT_EQ(router.pulls()[0].chunks.size(), Router::kMaxGroupChunks);
  EXPECT_EQ(router.pulls()[1].chunks.size(), 1u);
}

TEST(RouterTest, WhoHoldsSomeTensorsPullsThoseAndWaitsAtEveryShard) {
  const ShardMap map = Map(2);
  const Router router(map, {8192, 8192}, [](const std::string& tensor) { return tensor == "b"; });
  std::set<uint32_t> shards;
  std::vector<uint32_t> pulled;
  for (const auto& group : router.pulls()) {
    EXPECT_TRUE(shards.insert(group.shard).second);
    pulled.insert(pulled.end(), group.chunks.begin(), group.chunks.end());
  }
  EXPECT_THAT(pulled, ElementsAre(3));
  EXPECT_EQ(shards.size(), 2u);
  EXPECT_EQ(router.GroupsOf({0}).size(), 2u) << "others can still be pushed";
}

// Each of six chunks is on two of three shards.
TEST(RouterTest, PullsOfCopiesAskEachShardForAboutAsMuch) {
  ShardMap map;
  map.set_epoch(1);
  map.set_chunk_bytes(4096);
  map.set_replicas(2);
  map.add_tensors()->set_name("a");
  map.mutable_tensors(0)->add_shape(6 * 1024);
  for (const uint32_t owner : {0, 0, 0, 0, 1, 2}) map.add_owner(owner);
  for (const uint32_t backup : {1, 2, 1, 2, 2, 1}) map.add_backup(backup);
  for (const char* shard : {"a:1", "b:1", "c:1"}) map.add_shards(shard);
  const Router router(map, {8192, 8192, 8192});
  const std::vector<uint32_t> all = {0, 1, 2, 3, 4, 5};
  Router::Parts parts{[](uint32_t) { return 100; }, 8192, true};
  std::map<uint32_t, std::vector<uint32_t>> asked;
  for (const auto& group : router.GroupsOfChunks(all, Router::kLarge, &parts)) {
    asked[group.shard] = group.chunks;
    EXPECT_EQ(group.copies, group.shard != 0) << group.shard;
  }
  EXPECT_THAT(asked[0], ElementsAre(0, 3));
  EXPECT_THAT(asked[1], ElementsAre(2, 4));
  EXPECT_THAT(asked[2], ElementsAre(1, 5));
  parts.copies = false;
  for (const auto& group : router.GroupsOfChunks(all, Router::kLarge, &parts)) {
    EXPECT_FALSE(group.copies);
    for (const uint32_t chunk : group.chunks) EXPECT_EQ(map.owner(static_cast<int>(chunk)), group.shard);
  }
}

}  // namespace
}  // namespace syncline
