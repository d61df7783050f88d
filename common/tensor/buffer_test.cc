#include "common/tensor/buffer.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace syncline {
namespace {

uintptr_t Address(const Buffer& buffer) { return reinterpret_cast<uintptr_t>(buffer.data()); }

TEST(BufferTest, EmptyByDefault) {
  const Buffer buffer;
  EXPECT_EQ(buffer.data(), nullptr);
  EXPECT_EQ(buffer.size(), 0u);
  EXPECT_FALSE(buffer.Unique());
}

TEST(BufferTest, AlignsToPagesAndLargeBlocksToHugePages) {
  EXPECT_EQ(Address(Buffer::Allocate(100)) % Buffer::kAlignment, 0u);
  EXPECT_EQ(Address(Buffer::Allocate(Buffer::kHugePage + 4)) % Buffer::kHugePage, 0u);
}

TEST(BufferTest, CopiesShareTheBlock) {
  Buffer a = Buffer::Allocate(8);
  EXPECT_TRUE(a.Unique());
  {
    const Buffer b = a;
    EXPECT_EQ(b.data(), a.data());
    EXPECT_FALSE(a.Unique());
  }
  EXPECT_TRUE(a.Unique());
}

TEST(BufferTest, AFreedBlockIsUsedAgain) {
  Buffer a = Buffer::Allocate(1 << 20);
  const uintptr_t first = Address(a);
  a = Buffer();
  const Buffer b = Buffer::Allocate((1 << 20) - 5);
  EXPECT_EQ(Address(b), first);
  EXPECT_EQ(b.size(), (1u << 20) - 5);
}

TEST(BufferTest, ThePoolIsBounded) {
  std::vector<Buffer> buffers;
  for (size_t bytes = 0; bytes < 2 * Buffer::kPooledBytes; bytes += size_t{32} << 20) {
    buffers.push_back(Buffer::Allocate(size_t{32} << 20));
  }
  buffers.clear();
  EXPECT_GT(Buffer::PooledBytes(), 0u);
  EXPECT_LE(Buffer::PooledBytes(), Buffer::kPooledBytes);
}

TEST(BufferTest, ReservedBlocksWaitBeyondWhatThePoolHolds) {
  constexpr size_t kSize = Buffer::kPooledBytes / 2;
  const size_t before = Buffer::PooledBytes();
  Buffer::Reserve(kSize, 3);
  Buffer::Reserve(kSize, 3);
  EXPECT_GE(Buffer::PooledBytes(), 3 * kSize);
  EXPECT_LE(Buffer::PooledBytes(), before + 3 * kSize) << "those that are there count";
  { const Buffer taken[] = {Buffer::Allocate(kSize), Buffer::Allocate(kSize), Buffer::Allocate(kSize)}; }
  EXPECT_LE(Buffer::PooledBytes(), Buffer::kPooledBytes) << "taken, they are blocks like any";
}

TEST(BufferTest, ASharedViewKeepsTheBytes) {
  Buffer buffer = Buffer::Allocate(3);
  std::memcpy(buffer.data(), "abc", 3);
  const Fragments view = buffer.Share();
  EXPECT_FALSE(buffer.Unique());
  buffer = Buffer();
  ASSERT_EQ(view.size(), 3u);
  EXPECT_EQ(std::string(view.pieces()[0].data, 3), "abc");
}

TEST(BufferTest, CopyOfJoinsPieces) {
  Fragments pieces;
  pieces.Append("ab", 2);
  pieces.Append("cde", 3);
  const Buffer copy = Buffer::CopyOf(pieces);
  EXPECT_EQ(std::string(copy.data(), copy.size()), "abcde");
}

// For ThreadSanitizer: a writer that finds itself alone comes after the last reader.
TEST(BufferTest, UniqueOrdersWritesAfterTheLastReader) {
  Buffer buffer = Buffer::Allocate(4);
  buffer.floats()[0] = 1;
  float seen = 0;
  std::thread reader([&seen, copy = buffer]() mutable {
    seen = copy.floats()[0];
    copy = Buffer();
  });
  while (!buffer.Unique()) std::this_thread::yield();
  buffer.floats()[0] = 2;
  reader.join();
  EXPECT_EQ(seen, 1);
}

}  // namespace
}  // namespace syncline
