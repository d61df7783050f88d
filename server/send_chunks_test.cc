#include "server/send_chunks.h"

#include <vector>

#include "common/tensor/buffer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using testing::IsEmpty;

constexpr size_t kMiB = size_t{1} << 20;

ChunkSnapshot ChunkOf(size_t bytes) {
  ChunkSnapshot chunk;
  chunk.weights = Buffer::Allocate(bytes).Share();
  return chunk;
}

TEST(SendChunksTest, ChunksGoTogetherUpToSomeBytes) {
  const std::vector<ChunkSnapshot> chunks = {ChunkOf(kMiB / 4), ChunkOf(kMiB / 2), ChunkOf(kMiB / 2),
                                             ChunkOf(9 * kMiB)};
  const auto messages = ChunkMessages(chunks);
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(messages[0].size(), 2u);
  EXPECT_EQ(messages[1].size(), 1u);
  EXPECT_EQ(messages[2].size(), 1u);
  EXPECT_EQ(ChunkMessages({}).size(), 1u);
}

TEST(SendChunksTest, ALargeSlotIsCutBetweenRows) {
  EXPECT_THAT(PartsOf(ChunkOf(9 * kMiB)), IsEmpty());
  constexpr size_t kRow = 100;
  ChunkSnapshot slot = ChunkOf(kRow * 210000);
  slot.row_bytes = kRow;
  const auto parts = PartsOf(slot);
  EXPECT_EQ(parts.size(), 6u);
  size_t next = 0;
  for (const ChunkSnapshot& part : parts) {
    EXPECT_EQ(part.part.begin, next);
    EXPECT_EQ(part.part.of, slot.weights.size());
    EXPECT_EQ(part.weights.size() % kRow, 0u);
    EXPECT_LE(part.weights.size(), 4 * kMiB);
    EXPECT_EQ(part.weights.pieces()[0].data, slot.weights.pieces()[0].data + next) << "no byte is copied";
    next += part.weights.size();
  }
  EXPECT_EQ(next, slot.weights.size());
}

TEST(SendChunksTest, SoIsALargeDenseChunkWithItsState) {
  ChunkSnapshot chunk = ChunkOf(8 * kMiB);
  for (int i = 0; i < 2; ++i) chunk.state.push_back(Buffer::Allocate(8 * kMiB).Share());
  const auto parts = PartsOf(chunk);
  ASSERT_EQ(parts.size(), 6u);
  EXPECT_EQ(parts[5].part.begin, 20 * kMiB);
  EXPECT_EQ(parts[5].part.of, 24 * kMiB);
  EXPECT_THAT(parts[5].state, IsEmpty());
  EXPECT_EQ(parts[5].weights.pieces()[0].data, chunk.state[1].pieces()[0].data + 4 * kMiB);
}

}  // namespace
}  // namespace syncline
