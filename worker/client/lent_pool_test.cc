#include "worker/client/lent_pool.h"

#include <vector>

#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(LentPoolTest, BlocksAreLentOnceAndUsedAgain) {
  std::vector<std::shared_ptr<const SharedMemory>> lent;
  LentPool pool([&lent](auto block) { lent.push_back(std::move(block)); });
  std::shared_ptr<void> a = pool.Take(100);
  ASSERT_EQ(lent.size(), 1u);
  EXPECT_TRUE(lent[0]->OffsetOf(a.get(), 100));
  const std::shared_ptr<void> b = pool.Take(100);
  EXPECT_EQ(lent.size(), 2u) << "the first is in use";
  void* const first = a.get();
  a.reset();
  a = pool.Take(5000);
  EXPECT_EQ(a.get(), first);
  const std::shared_ptr<void> large = pool.Take(3 << 20);
  ASSERT_EQ(lent.size(), 3u);
  EXPECT_TRUE(lent[2]->OffsetOf(large.get(), 3 << 20));
}

TEST(LentPoolTest, WhatWasTakenOutlivesThePool) {
  std::shared_ptr<void> taken;
  {
    LentPool pool([](auto) {});
    taken = pool.Take(8);
  }
  *static_cast<char*>(taken.get()) = 1;
}

}  // namespace
}  // namespace syncline
