#include "worker/allreduce/segments.h"

#include <vector>

#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(SegmentsTest, CoverAllChunksInOrderAndAboutEvenly) {
  std::vector<Client::Chunk> chunks;
  for (const size_t elements : {100, 30, 70, 100, 100, 1, 99, 100}) chunks.push_back({0, 0, elements});
  for (size_t count = 1; count <= 9; ++count) {
    const auto segments = CutSegments(chunks, count);
    ASSERT_EQ(segments.size(), count);
    uint32_t at = 0;
    for (const Segment& segment : segments) {
      EXPECT_EQ(segment.begin, at);
      at = segment.end;
    }
    EXPECT_EQ(at, chunks.size()) << count;
  }
  const auto halves = CutSegments(chunks, 2);
  EXPECT_EQ(halves[0].end, 4u) << "300 of 600";
}

TEST(SegmentsTest, MoreProcessesThanChunksLeaveSomeWithNone) {
  const auto segments = CutSegments({{0, 0, 10}}, 3);
  size_t with = 0;
  for (const Segment& segment : segments) with += segment.end > segment.begin;
  EXPECT_EQ(with, 1u);
}

}  // namespace
}  // namespace syncline
