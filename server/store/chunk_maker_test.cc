#include "server/store/chunk_maker.h"

#include <string>
#include <vector>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/row_chunk.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

// A tensor of 8 elements in a chunk, and a table of two slots.
ShardMap Map() {
  TensorSpec weight, rows;
  weight.set_name("weight");
  weight.add_shape(8);
  weight.mutable_initializer()->set_kind(Initializer::CONSTANT);
  weight.mutable_initializer()->set_a(3);
  rows.set_name("rows");
  Table* const table = rows.mutable_table();
  table->set_name("rows");
  table->set_dim(2);
  table->set_slots(2);
  table->mutable_initializer()->set_kind(ROW_INITIALIZER_UNIFORM);
  table->mutable_initializer()->set_a(1);
  table->mutable_initializer()->set_b(2);
  table->mutable_optimizer()->set_kind(ROW_OPTIMIZER_SGD);
  table->mutable_optimizer()->set_learning_rate(0.25);
  return *MakeShardMap({weight, rows}, {"localhost:1"}, 4096, false);
}

TEST(ChunkMakerTest, MakesChunksAsTheyBegin) {
  const ShardMap map = Map();
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto maker, ChunkMaker::Create(JobManifest(), map));
  const auto infos = Chunks(map);
  ASSERT_EQ(infos.size(), 3u);
  const auto dense = maker->Make(infos[0]);
  EXPECT_EQ(dense->rows(), nullptr);
  float first;
  EXPECT_EQ(*FloatReader(dense->weights()).Next(1, &first), 3);
  EXPECT_EQ(maker->base_rate(infos[0]), 0.01);

  const auto slot = maker->Make(infos[2]);
  ASSERT_NE(slot->rows(), nullptr);
  float row[2];
  slot->rows()->Read({7}, RowTarget{row});
  EXPECT_GE(row[0], 1);
  EXPECT_LT(row[0], 2);
  EXPECT_NE(row[0], row[1]);
  EXPECT_EQ(maker->base_rate(infos[2]), 0.25);
}

TEST(ChunkMakerTest, MakesChunksThatGoOnFromOthers) {
  const ShardMap map = Map();
  JobManifest job;
  job.mutable_optimizer()->set_kind(MOMENTUM);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto maker, ChunkMaker::Create(job, map));
  const auto infos = Chunks(map);
  const std::vector<float> weights(8, 5), state(8, 6);
  const auto bytes = [](const std::vector<float>& floats) {
    return Fragments::Of(reinterpret_cast<const char*>(floats.data()), floats.size() * sizeof(float));
  };
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto dense, maker->MakeFrom(infos[0], 9, {bytes(weights), {bytes(state)}}));
  EXPECT_EQ(dense->version(), 9u);
  float first;
  EXPECT_EQ(*FloatReader(dense->weights()).Next(1, &first), 5);
  ASSERT_EQ(dense->content().state.size(), 1u);
  EXPECT_EQ(*FloatReader(dense->content().state[0]).Next(1, &first), 6);

  const auto slot = maker->Make(infos[1]);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto other, maker->MakeFrom(infos[1], 4, slot->content()));
  EXPECT_EQ(other->version(), 4u);
  EXPECT_NE(other->rows(), nullptr);
}

TEST(ChunkMakerTest, ChecksWhatChunksAreRestoredFrom) {
  const ShardMap map = Map();
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto maker, ChunkMaker::Create(JobManifest(), map));
  const auto infos = Chunks(map);
  const std::string bytes(48, '\0');
  const auto content = [&](size_t size) { return ChunkContent{Fragments::Of(bytes.data(), size), {}}; };
  SYNCLINE_EXPECT_OK(maker->Check(infos[0], content(32)));
  EXPECT_THAT(maker->Check(infos[0], content(28)), StatusIs(StatusCode::kInvalidArgument, HasSubstr("of 32 bytes")));
  SYNCLINE_EXPECT_OK(maker->Check(infos[1], content(48)));
  SYNCLINE_EXPECT_OK(maker->Check(infos[1], content(0)));
  EXPECT_THAT(maker->Check(infos[1], content(30)), StatusIs(StatusCode::kInvalidArgument, HasSubstr("take 24 each")));
}

TEST(ChunkMakerTest, NamesAnOptimizerOutOfRange) {
  JobManifest job;
  job.mutable_optimizer()->set_beta1(7);
  EXPECT_THAT(ChunkMaker::Create(job, Map()).status(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("beta1")));
}

}  // namespace
}  // namespace syncline
