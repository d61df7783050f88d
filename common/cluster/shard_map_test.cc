#include "common/cluster/shard_map.h"

#include <limits>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TensorSpec Tensor(const std::string& name, std::vector<uint64_t> shape) {
  TensorSpec spec;
  spec.set_name(name);
  for (uint64_t size : shape) spec.add_shape(size);
  return spec;
}

const std::vector<std::string> kTwo = {"a:1", "b:2"};

TEST(ShardMapTest, CutsTensorsInOrder) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(ShardMap map, MakeShardMap({Tensor("w", {3, 700}), Tensor("b", {5})}, kTwo,
                                                  4096, false));
  const std::vector<ChunkInfo> chunks = Chunks(map);
  ASSERT_EQ(chunks.size(), 4u);
  EXPECT_EQ(chunks[2].begin, 2048u);
  EXPECT_EQ(chunks[2].elements, 52u);
  EXPECT_EQ(chunks[3].tensor, 1u);
  EXPECT_EQ(chunks[3].id, 3u);
  EXPECT_EQ(chunks[3].elements, 5u);
}

TEST(ShardMapTest, LargestChunkGoesFirstToTheLightestShard) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(
      ShardMap map, MakeShardMap({Tensor("small", {10}), Tensor("w", {2100})}, kTwo, 4096, false));
  EXPECT_THAT(map.owner(), ElementsAre(1, 0, 1, 0));
  EXPECT_THAT(ShardBytes(map), ElementsAre(4304, 4136));
}

TEST(ShardMapTest, ManyChunksBalanceToATenth) {
  for (size_t shards : {2u, 3u, 7u, 8u}) {
    std::vector<std::string> addresses(shards, "x:1");
    SYNCLINE_ASSERT_OK_AND_ASSIGN(ShardMap map, MakeShardMap({Tensor("w", {1000, 401}), Tensor("v", {77777})},
                                                    addresses, 4096, false));
    const std::vector<uint64_t> bytes = ShardBytes(map);
    const double mean = (401000 + 77777) * 4.0 / static_cast<double>(shards);
    EXPECT_LE(static_cast<double>(*std::max_element(bytes.begin(), bytes.end())), 1.1 * mean);
  }
}

TEST(ShardMapTest, WholeTensorsStayOnOneShard) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(
      ShardMap map, MakeShardMap({Tensor("w", {3000}), Tensor("v", {2000})}, kTwo, 4096, true));
  EXPECT_THAT(map.owner(), ElementsAre(0, 0, 0, 1, 1));
}

TEST(ShardMapTest, RefusesTensorsThatCannotBe) {
  EXPECT_THAT(ValidateTensors({Tensor("w", {2}), Tensor("w", {3})}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("declared twice")));
  EXPECT_THAT(ValidateTensors({Tensor("w", {2, 0})}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("tensor w: shape holds 0")));
  EXPECT_THAT(ValidateTensors({Tensor("w", {1ull << 40, 1ull << 40})}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2^40")));
  EXPECT_THAT(ValidateTensors({Tensor("", {2})}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1 to 255")));
  TensorSpec infinite = Tensor("w", {2});
  infinite.mutable_initializer()->set_b(std::numeric_limits<float>::infinity());
  EXPECT_THAT(ValidateTensors({infinite}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not finite")));
  EXPECT_THAT(MakeShardMap({Tensor("w", {2})}, kTwo, 1000, false),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("chunk_bytes: 1000")));
}

TEST(ShardMapTest, RefusesAMapThatDoesNotFitTogether) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(ShardMap map, MakeShardMap({Tensor("w", {3000})}, kTwo, 4096, false));
  SYNCLINE_EXPECT_OK(ValidateShardMap(map));
  ShardMap wrong_owner = map;
  wrong_owner.set_owner(1, 2);
  EXPECT_THAT(ValidateShardMap(wrong_owner),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("belongs to shard 2 of 2")));
  ShardMap short_of_one = map;
  short_of_one.mutable_owner()->RemoveLast();
  EXPECT_THAT(ValidateShardMap(short_of_one),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2 owners for 3 chunks")));
}

}  // namespace
}  // namespace syncline
