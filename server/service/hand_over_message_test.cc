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
  chunks[1] = {6, 0, Fragments::Of(other.data(), 4), {Fragments::Of(other.data(), 4)}, {}, 0, {}};
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
  EXPECT_FALSE(handed->chunks[1].last.gradient_scale);
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
