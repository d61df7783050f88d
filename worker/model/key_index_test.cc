#include "worker/model/key_index.h"

#include <random>
#include <unordered_map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;

TEST(KeyIndexTest, NumbersKeysAsTheyFirstCome) {
  KeyIndex index;
  for (int batch = 0; batch < 3; ++batch) {
    index.Begin(4);
    EXPECT_EQ(index.Add(7), 0);
    EXPECT_EQ(index.Add(0), 1);
    EXPECT_EQ(index.Add(7), 0);
    EXPECT_EQ(index.Add(~uint64_t{0}), 2);
    EXPECT_EQ(index.Add(0), 1);
    EXPECT_THAT(index.keys(), ElementsAre(7, 0, ~uint64_t{0}));
  }
}

TEST(KeyIndexTest, AgreesWithAMap) {
  std::mt19937_64 random(3);
  KeyIndex index;
  for (const size_t most : {10, 5000, 100, 20000}) {
    index.Begin(most);
    std::unordered_map<uint64_t, int32_t> numbers;
    for (size_t i = 0; i < most; ++i) {
      // Small ones, large ones, and many that differ in the upper bits alone.
      const uint64_t key = i % 3 == 0 ? random() % 100 : i % 3 == 1 ? random() : random() << 48;
      const int32_t expected = numbers.try_emplace(key, static_cast<int32_t>(numbers.size())).first->second;
      ASSERT_EQ(index.Add(key), expected);
    }
    EXPECT_EQ(index.keys().size(), numbers.size());
  }
}

}  // namespace
}  // namespace syncline
