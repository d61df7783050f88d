#include "server/store/cold_rows.h"

#include <string>
#include <vector>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/memory_cold_pages.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr size_t kStride = 4;

std::string Bytes(const Fragments& fragments) {
  std::string bytes;
  for (const Fragments::Piece& piece : fragments.pieces()) bytes.append(piece.data, piece.size);
  return bytes;
}

class ColdRowsTest : public testing::Test {
 protected:
  std::shared_ptr<const ColdPage> Page(const std::string& bytes) {
    const char* const data = bytes.data();
    uint64_t place = 0;
    SYNCLINE_EXPECT_OK(disk_->Write({data}, bytes.size(), &place));
    return std::make_shared<const ColdPage>(disk_, place, bytes.size());
  }
  std::vector<std::string> Blocks(size_t most) const {
    std::vector<std::string> blocks;
    SYNCLINE_EXPECT_OK(rows_.ForEachBlock(most, [&](const Fragments& block) {
      blocks.push_back(Bytes(block));
      return absl::OkStatus();
    }));
    return blocks;
  }
  std::string Touched(uint64_t update) const {
    std::string rows;
    SYNCLINE_EXPECT_OK(rows_.TouchedAfter(update, [&](const char* row) {
      rows.append(row, kStride);
      return absl::OkStatus();
    }));
    return rows;
  }

  const std::shared_ptr<MemoryColdPages> disk_ = std::make_shared<MemoryColdPages>();
  ColdRows rows_{disk_, kStride};
};

TEST_F(ColdRowsTest, WholeRowsAreReadAsManyAsFit) {
  EXPECT_THAT(Blocks(100), ElementsAre());
  rows_.Add(Page("aaaabbbbccccdddd"), 0, 4, 1);
  const auto page = Page("eeeeffffgggghhhh");
  rows_.Add(page, 1, 1, 1);
  rows_.Add(page, 3, 1, 1);
  EXPECT_EQ(rows_.size(), 6 * kStride);
  EXPECT_THAT(Blocks(100), ElementsAre("aaaabbbbccccddddffffhhhh"));
  EXPECT_THAT(Blocks(11), ElementsAre("aaaabbbb", "ccccdddd", "ffffhhhh"));
  EXPECT_THAT(Blocks(12), ElementsAre("aaaabbbbcccc", "ddddffffhhhh"));
  EXPECT_THAT(Blocks(20), ElementsAre("aaaabbbbccccddddffff", "hhhh"));
  EXPECT_THAT(Blocks(1), ElementsAre("aaaa", "bbbb", "cccc", "dddd", "ffff", "hhhh"));
}

TEST_F(ColdRowsTest, PagesThatNobodyTouchedSinceAreNotRead) {
  rows_.Add(Page("aaaa"), 0, 1, 7);
  rows_.Add(Page("bbbbcccc"), 0, 2, 9);
  rows_.Add(Page("dddd"), 0, 1, 8);
  EXPECT_EQ(Touched(6), "aaaabbbbccccdddd");
  EXPECT_EQ(disk_->counters().reads, 3u);
  EXPECT_EQ(Touched(8), "bbbbcccc");
  EXPECT_EQ(disk_->counters().reads, 4u);
  EXPECT_EQ(Touched(9), "");
  EXPECT_EQ(disk_->counters().reads, 4u);
}

TEST_F(ColdRowsTest, TheFirstErrorEndsIt) {
  rows_.Add(Page("aaaabbbbccccdddd"), 0, 4, 1);
  disk_->FailOneRead(3, absl::DataLossError("broken"));
  std::string seen;
  const auto see = [&](const Fragments& block) {
    seen += Bytes(block);
    return absl::OkStatus();
  };
  EXPECT_THAT(rows_.ForEachBlock(kStride, see), StatusIs(StatusCode::kDataLoss, HasSubstr("broken")));
  EXPECT_EQ(seen, "aaaabbbb");
  int rows = 0;
  EXPECT_THAT(rows_.ForEachRow([&](const char*) { return ++rows == 2 ? absl::CancelledError() : absl::OkStatus(); }),
              StatusIs(StatusCode::kCancelled));
  EXPECT_EQ(rows, 2);
}

TEST_F(ColdRowsTest, PlacesAreFreeOnceNobodyLooks) {
  {
    auto page = Page("aaaabbbb");
    auto rows = std::make_shared<ColdRows>(disk_, kStride);
    rows->Add(page, 1, 1, 1);
    page.reset();
    EXPECT_EQ(disk_->pages(), 1u);
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const Fragments loaded, Load({Fragments::Of("xxxx", 4), rows}));
    EXPECT_EQ(Bytes(loaded), "xxxxbbbb");
  }
  EXPECT_EQ(disk_->pages(), 0u);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const Fragments loaded, Load({Fragments::Of("xxxx", 4), nullptr}));
  EXPECT_EQ(Bytes(loaded), "xxxx");
}

}  // namespace
}  // namespace syncline
