#include "worker/tensor/slices.h"

#include <vector>

#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(SlicesTest, SegmentsAreWholeChunksAndAllOfATensor) {
  for (const int64_t size : {1, 8, 9, 63, 64, 1000}) {
    for (const int parts : {2, 3, 4}) {
      for (size_t tensor = 0; tensor < 3; ++tensor) {
        std::vector<int> times(size);
        for (int part = 0; part < parts; ++part) {
          const TensorSegment segment = SegmentOf(size, 8, tensor, part, parts);
          EXPECT_EQ(segment.begin % 8 == 0 || segment.begin == size, true);
          EXPECT_EQ(segment.end % 8 == 0 || segment.end == size, true);
          for (int64_t i = segment.begin; i < segment.end; ++i) ++times[i];
        }
        for (const int count : times) EXPECT_EQ(count, 1) << size << " floats, " << parts << " parts";
      }
    }
  }
}

TEST(SlicesTest, SmallTensorsTakeTurns) {
  for (int part = 0; part < 3; ++part) {
    int64_t floats = 0;
    for (size_t tensor = 0; tensor < 3; ++tensor) floats += SegmentOf(5, 8, tensor, part, 3).floats();
    EXPECT_EQ(floats, 5);
  }
}

// Every float is in one slice and in one segment, at one place of each.
TEST(SlicesTest, RunsMeetEveryFloatOnce) {
  constexpr int64_t kSize = 60;
  for (const int64_t period : {0, 10, 20, 60}) {
    for (const int parts : {2, 3}) {
      std::vector<int> times(kSize);
      for (int holder = 0; holder < parts; ++holder) {
        TensorSlice slice;
        if (period > 0) {
          const PartRange columns = PartOf(period, holder, parts);
          slice = {period, columns.begin, columns.end};
        }
        std::vector<int64_t> at;  // by place in the slice
        for (int64_t i = 0; i < kSize; ++i) {
          if (slice.whole() || (i % period >= slice.begin && i % period < slice.end)) at.push_back(i);
        }
        for (int owner = 0; owner < parts; ++owner) {
          const TensorSegment segment = SegmentOf(kSize, 7, 0, owner, parts);
          ForEachRun(slice, kSize, segment, [&](int64_t whole, int64_t here, int64_t floats) {
            EXPECT_GE(whole, segment.begin);
            EXPECT_LE(whole + floats, segment.end);
            for (int64_t i = 0; i < floats; ++i) {
              EXPECT_EQ(at[here + i], whole + i);
              ++times[whole + i];
            }
          });
        }
      }
      for (const int count : times) EXPECT_EQ(count, period == 0 ? parts : 1);
    }
  }
}

}  // namespace
}  // namespace syncline
