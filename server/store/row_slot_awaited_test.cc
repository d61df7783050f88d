// Rows that were brought to memory for a pull stay until their own push can have come.

#include <algorithm>
#include <memory>
#include <numeric>
#include <vector>

#include "common/optimizer/elementwise_rows.h"
#include "common/optimizer/sgd.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "server/store/memory_cold_pages.h"
#include "server/store/row_slot.h"

namespace syncline {
namespace {

// 256 bytes a row, so 128 a page.
constexpr size_t kDim = 60, kPage = 128, kPulled = 60;

class RowSlotAwaitedTest : public testing::Test {
 protected:
  // Pulls rows that are on disk, and brings others that fill the page on which they are by the next update.
  RowSlotAwaitedTest() {
    EXPECT_EQ(slot_.page_bytes(), kPage * slot_.format().stride());
    Update(NewKeys(kPage + 1));
    pulled_.resize(kPulled);
    std::iota(pulled_.begin(), pulled_.end(), 0);
    Leave();
    EXPECT_EQ(slot_.cold_rows(), kPage);
    others_ = NewKeys(kPage + kPage / 2);
    Update(others_);
    EXPECT_THAT(slot_.Fetch(pulled_, {}), IsOkAndHolds(kPulled));
    const std::vector<uint64_t> more = NewKeys(kPage);
    Update(more);
    others_.insert(others_.end(), more.begin(), more.end());
  }

  std::vector<uint64_t> NewKeys(size_t count) {
    std::vector<uint64_t> keys(count);
    std::iota(keys.begin(), keys.end(), next_key_);
    next_key_ += count;
    return keys;
  }
  void Update(const std::vector<uint64_t>& keys) {
    const std::vector<float> values(keys.size() * kDim, 1);
    const Fragments gradients = Fragments::Of(values.data(), values.size() * sizeof(float));
    slot_.Update({{keys, &gradients, 1}}, UpdateSettings());
  }
  void UpdateOthers(int times) {
    for (int i = 0; i < times; ++i) Update(others_);
  }
  // One page, of the rows that are worth the least.
  void Leave() {
    const RowPages::Leaving leaving = slot_.Leave(1);
    std::vector<uint64_t> places(leaving.pages.size());
    SYNCLINE_ASSERT_OK(store_->Write(leaving.bytes, slot_.page_bytes(), places.data()));
    slot_.Left(leaving, places);
  }
  size_t PulledInMemory() const {
    std::vector<uint32_t> numbers(pulled_.size());
    slot_.Find(pulled_, numbers.data());
    return pulled_.size() - static_cast<size_t>(std::count(numbers.begin(), numbers.end(), RowIndex::kNoRow));
  }

  const std::unique_ptr<const RowRule> rule_ = std::make_unique<ElementwiseRows>(std::make_unique<Sgd>(0.0f));
  const std::shared_ptr<MemoryColdPages> store_ = std::make_shared<MemoryColdPages>();
  RowSlot slot_{RowFormat(kDim, StoredAs::kFloat32, *rule_), rule_.get(), InitialRows(), {}, store_};
  uint64_t next_key_ = 0;
  std::vector<uint64_t> pulled_, others_;
};

TEST_F(RowSlotAwaitedTest, PulledRowsStayThoughOthersAreWorthMore) {
  Leave();
  EXPECT_EQ(PulledInMemory(), kPulled);
}

TEST_F(RowSlotAwaitedTest, For15UpdatesMoreTheyStay) {
  UpdateOthers(15);
  Leave();
  EXPECT_EQ(PulledInMemory(), kPulled);
}

TEST_F(RowSlotAwaitedTest, ThenTheyAreWhatTheyAreWorth) {
  UpdateOthers(16);
  Leave();
  EXPECT_EQ(PulledInMemory(), 0u);
}

TEST_F(RowSlotAwaitedTest, SoTheyAreOnceTheyWerePushed) {
  Update(pulled_);
  UpdateOthers(3);
  Leave();
  EXPECT_EQ(PulledInMemory(), 0u);
}

}  // namespace
}  // namespace syncline
