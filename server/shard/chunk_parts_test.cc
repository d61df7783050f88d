#include "server/shard/chunk_parts.h"

#include <vector>

#include "common/status/status_matchers.h"
#include "common/tensor/buffer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/row_chunk.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;

// Chunk 0: two weights, with momentum. Chunk 1: a table's slot.
class ChunkPartsTest : public testing::Test {
 protected:
  ChunkPartsTest() {
    TensorSpec dense, rows;
    dense.set_name("dense");
    dense.add_shape(2);
    rows.set_name("rows");
    rows.mutable_table()->set_name("rows");
    rows.mutable_table()->set_dim(1);
    rows.mutable_table()->set_slots(1);
    rows.mutable_table()->mutable_optimizer()->set_kind(ROW_OPTIMIZER_SGD);
    rows.mutable_table()->mutable_optimizer()->set_learning_rate(1);
    map_ = *MakeShardMap({dense, rows}, {"a:1"}, 4096, false);
    JobManifest job;
    job.mutable_optimizer()->set_kind(MOMENTUM);
    job.mutable_optimizer()->set_learning_rate(1);
    job.mutable_optimizer()->set_momentum(0.5);
    maker_ = *ChunkMaker::Create(job, map_);
  }
  ChunkParts Parts(int chunk) { return ChunkParts(Chunks(map_)[chunk], maker_.get()); }
  static ChunkSnapshot Part(const Fragments& all, size_t begin, size_t size, uint64_t version = 7) {
    ChunkSnapshot part;
    part.version = version;
    part.weights = all.Sub(begin, size);
    part.part = {begin, all.size()};
    return part;
  }
  // Two rows, as they are stored.
  Fragments Rows(std::vector<uint64_t> keys) {
    auto slot = maker_->Make(Chunks(map_)[1]);
    const std::vector<float> ones(keys.size(), 1);
    const Fragments gradient = Fragments::Of(ones.data(), ones.size() * sizeof(float));
    const Fragments key_bytes = Fragments::Of(keys.data(), keys.size() * sizeof(uint64_t));
    UpdateSettings settings;
    settings.learning_rate = 1;
    slot->Update({{&gradient, 1, CODEC_NONE, &key_bytes}}, settings);
    row_bytes_ = slot->rows()->row_bytes();
    return slot->content().weights;
  }

  ShardMap map_;
  std::unique_ptr<const ChunkMaker> maker_;
  size_t row_bytes_ = 0;
};

TEST_F(ChunkPartsTest, ADenseChunkMayBeCutAnywhere) {
  const std::vector<float> arrays = {1, 2, 3, 4};
  const Fragments all = Fragments::Of(arrays.data(), 16);
  ChunkParts parts = Parts(0);
  for (const auto& [begin, size] : {std::pair<size_t, size_t>{0, 4}, {4, 8}, {12, 4}}) {
    EXPECT_FALSE(parts.complete());
    SYNCLINE_ASSERT_OK(parts.Add(1, Part(all, begin, size)));
  }
  ASSERT_TRUE(parts.complete());
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto chunk, parts.Take());
  EXPECT_EQ(chunk->version(), 7u);
  const ChunkContent content = chunk->content();
  float scratch[2];
  const float* weights = FloatReader(content.weights).Next(2, scratch);
  EXPECT_THAT(std::vector<float>(weights, weights + 2), ElementsAre(1, 2));
  ASSERT_EQ(content.state.size(), 1u);
  const float* state = FloatReader(content.state[0]).Next(2, scratch);
  EXPECT_THAT(std::vector<float>(state, state + 2), ElementsAre(3, 4));
}

TEST_F(ChunkPartsTest, OneThatIsTooLongIsNoChunk) {
  const std::vector<float> arrays = {1, 2, 3, 4, 5, 6};
  ChunkParts parts = Parts(0);
  SYNCLINE_ASSERT_OK(parts.Add(1, Part(Fragments::Of(arrays.data(), 24), 0, 24)));
  EXPECT_THAT(parts.Take().status(), StatusIs(StatusCode::kInvalidArgument));
}

TEST_F(ChunkPartsTest, ASlotIsCutBetweenRows) {
  const Fragments all = Rows({5, 6});
  ChunkParts parts = Parts(1);
  EXPECT_THAT(parts.Add(1, Part(all, 0, row_bytes_ + 4)), StatusIs(StatusCode::kInvalidArgument));
  SYNCLINE_ASSERT_OK(parts.Add(1, Part(all, 0, row_bytes_)));
  SYNCLINE_ASSERT_OK(parts.Add(1, Part(all, row_bytes_, row_bytes_)));
  ASSERT_TRUE(parts.complete());
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto chunk, parts.Take());
  EXPECT_EQ(chunk->rows()->row_count(), 2u);
  EXPECT_EQ(chunk->version(), 7u);
}

TEST_F(ChunkPartsTest, PartsOfDifferentMessagesDoNotMix) {
  const Fragments all = Rows({5, 6}), other = Rows({6, 5});
  ChunkParts parts = Parts(1);
  for (const auto& [epoch, version] : {std::pair<uint64_t, uint64_t>{2, 7}, {1, 8}}) {
    SYNCLINE_ASSERT_OK(parts.Add(1, Part(all, 0, row_bytes_)));
    EXPECT_THAT(parts.Add(epoch, Part(all, row_bytes_, row_bytes_, version)),
                StatusIs(StatusCode::kUnavailable, HasSubstr("send all of them again")));
  }
  EXPECT_THAT(parts.Add(1, Part(all, row_bytes_, row_bytes_)), StatusIs(StatusCode::kUnavailable));
  // Of the same version, with its rows in another order: one is missing then.
  SYNCLINE_ASSERT_OK(parts.Add(1, Part(all, 0, row_bytes_)));
  SYNCLINE_ASSERT_OK(parts.Add(1, Part(other, row_bytes_, row_bytes_)));
  ASSERT_TRUE(parts.complete());
  EXPECT_THAT(parts.Take().status(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("key of their own")));
}

}  // namespace
}  // namespace syncline
