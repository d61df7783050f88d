#include "server/service/hand_over_message.h"

#include <cstring>

#include "common/status/status_matchers.h"
#include "common/wire/chunk_message.h"
#include "common/wire/protocol_version.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

std::vector<float> Floats(const Fragments& data) {
  std::vector<float> floats(data.size() / sizeof(float));
  if (!floats.empty()) {
    FloatReader(data).Copy(data.size(), reinterpret_cast<char*>(floats.data()));
  }
  return floats;
}

TEST(HandOverMessageTest, ChunksComeAsTheyWent) {
  const std::vector<float> weights = {1, 2, 3}, slot = {4, 5, 6}, other = {7};
  std::vector<ChunkSnapshot> chunks(2);
  chunks[0] = {5, 9, Fragments::Of(weights.data(), 12), {Fragments::Of(slot.data(), 12)},
               {{0, 1, 7}, {3, 2, 8}}, 8, {0.5f, {0.25, 0.125}}};
  // A table's slot that counts nothing, and has ages.
  chunks[1] = {6, 0, Fragments::Of(other.data(), 4), {Fragments(), Fragments::Of(slot.data(), 12)}, {}, 0, {}};
  const auto handed = DecodeChunks(EncodeChunks(4, true, chunks));
  SYNCLINE_ASSERT_OK(handed.status());
  EXPECT_EQ(handed->map_epoch, 4u);
  ASSERT_EQ(handed->chunks.size(), 2u);
  const ChunkSnapshot& first = handed->chunks[0];
  EXPECT_EQ(first.chunk, 5u);
  EXPECT_EQ(first.version, 9u);
  EXPECT_EQ(Floats(first.weights), weights);
  ASSERT_EQ(first.state.size(), 1u);
  EXPECT_EQ(Floats(first.state[0]), slot);
  ASSERT_EQ(first.applied.size(), 2u);
  EXPECT_EQ(first.applied[1].rank, 3u);
  EXPECT_EQ(first.applied[1].incarnation, 2u);
  EXPECT_EQ(first.applied[1].next, 8u);
  EXPECT_EQ(first.step, 8u);
  EXPECT_EQ(first.last.gradient_scale, 0.5f);
  EXPECT_EQ(first.last.sums.squared_weights, 0.25);
  EXPECT_EQ(first.last.sums.squared_update, 0.125);
  EXPECT_EQ(Floats(handed->chunks[1].weights), other);
  ASSERT_EQ(handed->chunks[1].state.size(), 2u);
  EXPECT_TRUE(handed->chunks[1].state[0].empty());
  EXPECT_EQ(Floats(handed->chunks[1].state[1]), slot);
  EXPECT_FALSE(handed->chunks[1].last.gradient_scale);
}

TEST(HandOverMessageTest, ChangesAndPartsSaySo) {
  const std::vector<float> rows = {1, 2, 3};
  const std::vector<uint64_t> gone = {7, 9};
  std::vector<ChunkSnapshot> chunks(2);
  chunks[0].chunk = 5;
  chunks[0].version = 4;
  chunks[0].weights = Fragments::Of(rows.data(), 12);
  chunks[0].since = CopyState{2, 3};
  chunks[0].gone = Fragments::Of(gone.data(), 16);
  chunks[1].chunk = 6;
  chunks[1].weights = Fragments::Of(rows.data(), 8);
  chunks[1].part = {100, 108};
  const auto handed = DecodeChunks(EncodeChunks(4, true, chunks));
  SYNCLINE_ASSERT_OK(handed.status());
  const ChunkSnapshot& change = handed->chunks.at(0);
  ASSERT_TRUE(change.since);
  EXPECT_EQ(change.since->epoch, 2u);
  EXPECT_EQ(change.since->version, 3u);
  EXPECT_EQ(Floats(change.weights), rows);
  EXPECT_EQ(change.gone.size(), 16u);
  EXPECT_EQ(change.part.of, 0u);
  const ChunkSnapshot& part = handed->chunks.at(1);
  EXPECT_FALSE(part.since);
  EXPECT_EQ(part.part.begin, 100u);
  EXPECT_EQ(part.part.of, 108u);
}

TEST(HandOverMessageTest, PartsThatDoNotFitTogetherAreRefused) {
  const float zero = 0;
  HandOverRequest head;
  EXPECT_THAT(DecodeChunks(EncodeHandOver(head, {})).status(),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("protocol")));
  head.set_protocol(kProtocolVersion);
  head.add_records()->set_chunk(1);
  const WireChunk stranger{2, 0, Fragments::Of(&zero, 4)};
  EXPECT_THAT(DecodeChunks(EncodeHandOver(head, {stranger})).status(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("of chunk 2")));
  const WireChunk second{1, 0, Fragments::Of(&zero, 4), 1};
  EXPECT_THAT(DecodeChunks(EncodeHandOver(head, {second})).status(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("array 0")));
}

}  // namespace
}  // namespace syncline
