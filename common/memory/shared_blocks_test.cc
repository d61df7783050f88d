#include "common/memory/shared_blocks.h"

#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(SharedBlocksTest, KnowsTheBlocksThatAreInUse) {
  SharedBlocks memory(true);
  const auto one = memory.Allocate(100);
  auto two = memory.Allocate(200);
  ASSERT_NE(one, nullptr);
  ASSERT_EQ(memory.blocks().size(), 2u);
  EXPECT_EQ(memory.blocks()[1]->data(), two.get());
  two.reset();
  ASSERT_EQ(memory.blocks().size(), 1u);
  EXPECT_EQ(memory.blocks()[0]->size(), 100u);
}

TEST(SharedBlocksTest, WithoutThemNetworksTakeTheirOwn) {
  SharedBlocks memory(false);
  EXPECT_EQ(memory.Allocate(100), nullptr);
  EXPECT_TRUE(memory.blocks().empty());
}

}  // namespace
}  // namespace syncline
