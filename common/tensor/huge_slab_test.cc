#include "common/tensor/huge_slab.h"

#include <cstring>
#include <fstream>
#include <random>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace syncline {
namespace {

constexpr size_t kBlock = size_t{64} << 10;
constexpr size_t kBlocks = HugeSlab::kHugePage / kBlock;

TEST(HugeSlabTest, BlocksOfAHugePageLieInIt) {
  HugeSlab slab(kBlock);
  std::set<char*> blocks;
  for (size_t i = 0; i < kBlocks; ++i) blocks.insert(slab.Allocate());
  EXPECT_EQ(blocks.size(), kBlocks);
  EXPECT_EQ(slab.pages(), 1u);
  EXPECT_EQ(*blocks.rbegin() - *blocks.begin(), static_cast<ptrdiff_t>((kBlocks - 1) * kBlock));
  char* const more = slab.Allocate();
  EXPECT_EQ(slab.pages(), 2u);
  slab.Free(more);
  for (char* block : blocks) slab.Free(block);
  EXPECT_EQ(slab.pages(), 0u);
}

TEST(HugeSlabTest, NoTwoUsersShareABlock) {
  HugeSlab slab(kBlock);
  std::mt19937 random(1);
  std::vector<char*> held;
  for (int i = 0; i < 5000; ++i) {
    if (held.empty() || random() % 5 < 3) {
      held.push_back(slab.Allocate());
      std::memcpy(held.back(), &held.back(), sizeof(char*));
    } else {
      std::swap(held[random() % held.size()], held.back());
      char* mark;
      std::memcpy(&mark, held.back(), sizeof(mark));
      ASSERT_EQ(mark, held.back());
      slab.Free(held.back());
      held.pop_back();
    }
  }
  EXPECT_GE(slab.pages() * kBlocks, held.size());
  for (char* block : held) slab.Free(block);
  EXPECT_EQ(slab.pages(), 0u);
}

// Bytes of memory that this process has.
size_t Resident() {
  std::ifstream file("/proc/self/statm");
  size_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * 4096;
}

TEST(HugeSlabTest, MemoryOfPagesThatAreNearlyEmptyGoesBack) {
  HugeSlab slab(kBlock);
  constexpr size_t kPages = 40;
  std::vector<char*> blocks;
  for (size_t i = 0; i < kPages * kBlocks; ++i) {
    blocks.push_back(slab.Allocate());
    std::memset(blocks.back(), 1, kBlock);
  }
  const size_t before = Resident();
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (i % kBlocks != 0) slab.Free(blocks[i]);
  }
  EXPECT_EQ(slab.pages(), kPages);
  EXPECT_LT(Resident() + kPages * HugeSlab::kHugePage * 3 / 4, before);
  for (size_t i = 0; i < blocks.size(); i += kBlocks) {
    EXPECT_EQ(blocks[i][kBlock - 1], 1);
    slab.Free(blocks[i]);
  }
  EXPECT_EQ(slab.pages(), 0u);
}

}  // namespace
}  // namespace syncline
