#include "server/store/row_index.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <unordered_map>
#include <vector>

#include "gtest/gtest.h"

namespace syncline {
namespace {

// An index over rows that are nothing but a key, and what it should hold.
class RowIndexTest : public testing::Test {
 protected:
  void Insert(uint64_t key) {
    const auto number = static_cast<uint32_t>(rows_.size());
    std::memcpy(rows_.Append(), &key, sizeof(key));
    index_.Insert(rows_, key, number);
    model_[key] = number;
    keys_.push_back(key);
  }
  // The last row takes its place.
  void Erase(size_t number) {
    const uint64_t key = keys_[number], moved = keys_.back();
    const auto last = static_cast<uint32_t>(rows_.size() - 1);
    index_.Erase(key, static_cast<uint32_t>(number));
    model_.erase(key);
    if (number != last) {
      std::memcpy(rows_.Mutable(static_cast<uint32_t>(number)), &moved, sizeof(moved));
      index_.Renumber(moved, last, static_cast<uint32_t>(number));
      model_[moved] = static_cast<uint32_t>(number);
      keys_[number] = moved;
    }
    keys_.pop_back();
    rows_.RemoveLast();
  }
  void ExpectAllFound(std::vector<uint64_t> asked) {
    size_t next = 0;
    index_.ForEach(rows_, asked, sizeof(uint64_t), [&](size_t i, uint32_t number) {
      ASSERT_EQ(i, next++);
      const auto found = model_.find(asked[i]);
      const uint32_t expected = found == model_.end() ? RowIndex::kNoRow : found->second;
      ASSERT_EQ(number, expected) << asked[i];
      ASSERT_EQ(index_.Find(rows_, asked[i]), expected) << asked[i];
    });
    ASSERT_EQ(next, asked.size());
  }

  RowPages rows_{sizeof(uint64_t)};
  RowIndex index_;
  std::unordered_map<uint64_t, uint32_t> model_;
  std::vector<uint64_t> keys_;
  std::mt19937_64 random_{3};
};

TEST_F(RowIndexTest, FindsWhatIsThereAndNothingElse) {
  for (uint64_t key = 0; key < 30000; ++key) Insert(key * key);
  std::vector<uint64_t> asked = keys_;
  for (int i = 0; i < 30000; ++i) asked.push_back(random_());
  ExpectAllFound(asked);
}

TEST_F(RowIndexTest, ComesAndGoes) {
  // Few keys, so that they come again.
  for (int round = 0; round < 60; ++round) {
    const bool grows = round % 3 != 2;
    for (int i = 0; i < 1000; ++i) {
      const uint64_t key = random_() % 20000;
      const auto found = model_.find(key);
      if (grows && found == model_.end()) Insert(key);
      if (!grows && found != model_.end()) Erase(found->second);
    }
    std::vector<uint64_t> asked(20000);
    for (size_t key = 0; key < asked.size(); ++key) asked[key] = key;
    ExpectAllFound(asked);
  }
  while (!keys_.empty()) Erase(random_() % keys_.size());
  ExpectAllFound({0, 1, 2, 3});
}

TEST_F(RowIndexTest, TheSameRowsInAndOutForEver) {
  for (uint64_t key = 0; key < 2000; ++key) Insert(key);
  const size_t bytes = index_.bytes();
  for (uint64_t key = 2000; key < 200000; ++key) {
    Erase(random_() % keys_.size());
    Insert(key);
  }
  // Each part has had its largest share of the rows by then.
  EXPECT_LE(static_cast<double>(index_.bytes()), 1.6 * static_cast<double>(bytes));
  std::vector<uint64_t> asked = keys_;
  for (int i = 0; i < 10000; ++i) asked.push_back(random_());
  ExpectAllFound(asked);
}

TEST_F(RowIndexTest, BytesOfARow) {
  double most = 0;
  for (uint64_t key = 0; key < 300000; ++key) {
    Insert(random_());
    if (key < 20000) continue;
    most = std::max(most, static_cast<double>(index_.bytes()) / static_cast<double>(rows_.size()));
  }
  EXPECT_LE(most, 6.85);
}

}  // namespace
}  // namespace syncline
