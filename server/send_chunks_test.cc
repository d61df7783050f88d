#include "server/send_chunks.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "common/status/status_matchers.h"
#include "common/tensor/buffer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/memory_cold_pages.h"

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

std::vector<ChunkSnapshot> PartsOf(const ChunkSnapshot& chunk) {
  EXPECT_TRUE(IsCut(chunk));
  std::vector<ChunkSnapshot> parts;
  SYNCLINE_EXPECT_OK(ForEachPart(chunk, [&](const ChunkSnapshot& part) {
    parts.push_back(part);
    return absl::OkStatus();
  }));
  return parts;
}

TEST(SendChunksTest, ALargeSlotIsCutBetweenRows) {
  EXPECT_FALSE(IsCut(ChunkOf(9 * kMiB)));
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

// A slot with rows in memory and more on disk.
class RowsOnDiskTest : public testing::Test {
 protected:
  static constexpr size_t kRow = 100, kInMemory = kRow * 30000, kCold = kRow * 180000;

  RowsOnDiskTest() {
    std::string page(kCold, ' ');
    for (size_t i = 0; i < page.size(); ++i) page[i] = static_cast<char>(i / kRow % 127);
    const char* const data = page.data();
    uint64_t place = 0;
    SYNCLINE_EXPECT_OK(disk_->Write({data}, page.size(), &place));
    auto cold = std::make_shared<ColdRows>(disk_, kRow);
    cold->Add(std::make_shared<const ColdPage>(disk_, place, page.size()), 0, kCold / kRow, 1);
    slot_.row_bytes = kRow;
    slot_.cold = std::move(cold);
    slot_.state.push_back(Buffer::Allocate(8).Share());
  }

  const std::shared_ptr<MemoryColdPages> disk_ = std::make_shared<MemoryColdPages>();
  ChunkSnapshot slot_ = ChunkOf(kInMemory);
};

TEST_F(RowsOnDiskTest, ComeLastAndWhatWasCountedComesWithTheLastPart) {
  const auto parts = PartsOf(slot_);
  ASSERT_EQ(parts.size(), 6u);
  size_t next = 0;
  for (const ChunkSnapshot& part : parts) {
    EXPECT_EQ(part.part.begin, next);
    EXPECT_EQ(part.part.of, kInMemory + kCold);
    EXPECT_EQ(part.weights.size() % kRow, 0u);
    EXPECT_LE(part.weights.size(), 4 * kMiB);
    EXPECT_EQ(part.cold, nullptr);
    EXPECT_EQ(part.state.size(), &part == &parts.back() ? 1u : 0u);
    for (size_t at = std::max(next, kInMemory) - next; at < part.weights.size(); at += kRow * 1000) {
      const auto expected = static_cast<char>((next + at - kInMemory) / kRow % 127);
      ASSERT_EQ(part.weights.Sub(at, 1).pieces()[0].data[0], expected);
    }
    next += part.weights.size();
  }
  EXPECT_EQ(next, kInMemory + kCold);
}

TEST_F(RowsOnDiskTest, ThatCannotBeReadEndIt) {
  disk_->FailOneRead(2, absl::DataLossError("broken"));
  int sent = 0;
  const auto send = [&](const ChunkSnapshot&) {
    ++sent;
    return absl::OkStatus();
  };
  EXPECT_THAT(ForEachPart(slot_, send), StatusIs(absl::StatusCode::kDataLoss, testing::HasSubstr("broken")));
  EXPECT_EQ(sent, 2);
}

TEST_F(RowsOnDiskTest, ThatCannotBeReadAreNotSentWithoutThem) {
  auto few = std::make_shared<ColdRows>(disk_, kRow);
  const std::string page(kRow, 'x');
  const char* const data = page.data();
  uint64_t place = 0;
  SYNCLINE_ASSERT_OK(disk_->Write({data}, page.size(), &place));
  few->Add(std::make_shared<const ColdPage>(disk_, place, page.size()), 0, 1, 1);
  slot_.cold = std::move(few);
  EXPECT_FALSE(IsCut(slot_));
  ChunkLane nowhere("127.0.0.1:1", {});
  disk_->FailReads(absl::DataLossError("broken"));
  EXPECT_THAT(SendChunks(&nowhere, 1, true, {slot_}, absl::Seconds(1)),
              StatusIs(absl::StatusCode::kDataLoss, testing::HasSubstr("broken")));
}

}  // namespace
}  // namespace syncline
