#include "server/store/row_pages.h"

#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace syncline {
namespace {

std::string Bytes(const Fragments& rows) {
  std::string bytes(rows.size(), 0);
  FloatReader(rows).Copy(rows.size(), bytes.data());
  return bytes;
}

TEST(RowPagesTest, RowsOfAnySizeLieInTheirPages) {
  for (const size_t stride : {20, 84, 1000, 1028, 4096, 12304, 65536, 300000}) {
    RowPages pages(stride);
    const size_t count = 3 + 1000000 / stride;
    for (size_t row = 0; row < count; ++row)
      std::memset(pages.Append(), static_cast<int>(row % 251), stride);
    const Fragments rows = pages.Snapshot().memory;
    ASSERT_EQ(rows.size(), count * stride);
    for (size_t row = 0; row < count; ++row) {
      const char* const at = pages.At(static_cast<uint32_t>(row));
      ASSERT_EQ(static_cast<unsigned char>(at[0]), row % 251) << stride;
      ASSERT_EQ(static_cast<unsigned char>(at[stride - 1]), row % 251) << stride;
    }
    EXPECT_GE(pages.bytes(), count * stride);
  }
}

TEST(RowPagesTest, MemoryIsLittleMoreThanTheRows) {
  for (const size_t stride : {20, 84, 528, 1944, 2000, 4112, 12304}) {
    RowPages pages(stride);
    const size_t count = (size_t{32} << 20) / stride;
    for (size_t row = 0; row < count; ++row) pages.Append();
    EXPECT_LE(static_cast<double>(pages.bytes()), 1.05 * static_cast<double>(count * stride))
        << stride;
  }
}

// Rows of bytes that are all the same, and what they should be.
TEST(RowPagesTest, SnapshotsStayAsTheyWere) {
  constexpr size_t kStride = 100;
  RowPages pages(kStride);
  std::string model;
  std::mt19937 random(7);
  std::vector<std::pair<Fragments, std::string>> snapshots;
  for (int i = 0; i < 20000; ++i) {
    const auto value = static_cast<char>(random());
    const size_t size = model.size() / kStride;
    switch (const unsigned what = random() % 100; what) {
      case 0:
        snapshots.emplace_back(pages.Snapshot().memory, model);
        break;
      case 1:
        if (!snapshots.empty())
          snapshots.erase(snapshots.begin() + static_cast<int>(random() % snapshots.size()));
        break;
      default:
        if (what < 30 && size > 0) {
          pages.RemoveLast();
          model.resize(model.size() - kStride);
        } else if (what < 60 && size > 0) {
          const auto row = static_cast<uint32_t>(random() % size);
          std::memset(pages.Mutable(row), value, kStride);
          model.replace(row * kStride, kStride, kStride, value);
        } else {
          std::memset(pages.Append(), value, kStride);
          model.append(kStride, value);
        }
    }
    if (i % 500 != 0) continue;
    ASSERT_EQ(Bytes(pages.Snapshot().memory), model);
    for (const auto& [rows, then] : snapshots) ASSERT_EQ(Bytes(rows), then);
  }
}

TEST(RowPagesTest, ASnapshotIsReadWhileRowsChange) {
  constexpr size_t kStride = 64;
  RowPages pages(kStride);
  for (int row = 0; row < 5000; ++row) std::memset(pages.Append(), 1, kStride);
  for (char round = 1; round < 20; ++round) {
    std::thread reader([rows = pages.Snapshot().memory, round] {
      EXPECT_EQ(Bytes(rows), std::string(rows.size(), round));
    });
    for (uint32_t row = 0; row < 5000; ++row) std::memset(pages.Mutable(row), round + 1, kStride);
    reader.join();
  }
}

}  // namespace
}  // namespace syncline
