#include "server/durability/row_layers.h"

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/row_stream.h"

namespace syncline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr size_t kStride = 12;
using Rows = std::map<uint64_t, char>;

// A key and four times the same byte each. Never freed before the test ends.
Fragments Stored(const std::vector<std::pair<uint64_t, char>>& rows) {
  auto bytes = std::make_shared<std::string>();
  for (const auto& [key, value] : rows) {
    bytes->append(reinterpret_cast<const char*>(&key), sizeof(key)).append(4, value);
  }
  return Fragments::Of(bytes->data(), bytes->size(), bytes);
}

Fragments Keys(const std::vector<uint64_t>& keys) {
  auto owned = std::make_shared<std::vector<uint64_t>>(keys);
  return Fragments::Of(owned->data(), owned->size() * sizeof(uint64_t), owned);
}

Rows Read(const Fragments& fragments) {
  Rows rows;
  const absl::Status status = ForEachRow(fragments, kStride, [&](const char* row) {
    uint64_t key;
    std::memcpy(&key, row, sizeof(key));
    EXPECT_TRUE(rows.emplace(key, row[8]).second) << "key " << key << " comes twice";
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok());
  return rows;
}

TEST(RowLayersTest, TheNewestWordOnAKeyCounts) {
  const Fragments merged = MergeRowLayers({{Stored({{2, 'C'}, {5, 'C'}}), Keys({1})},
                                           {Stored({{1, 'B'}, {3, 'B'}}), Keys({2, 4})},
                                           {Stored({{1, 'A'}, {2, 'A'}, {3, 'A'}, {4, 'A'}, {6, 'A'}, {7, 'A'}}), {}}},
                                          kStride);
  EXPECT_THAT(Read(merged), ElementsAre(Pair(2, 'C'), Pair(3, 'B'), Pair(5, 'C'), Pair(6, 'A'), Pair(7, 'A')));
  EXPECT_EQ(merged.pieces().size(), 3u) << "rows side by side are one piece";
}

TEST(RowLayersTest, AKeyErasedAndStoredAgainInOneLayerIsThere) {
  EXPECT_THAT(Read(MergeRowLayers({{Stored({{1, 'B'}}), Keys({1})}, {Stored({{1, 'A'}}), {}}}, kStride)),
              ElementsAre(Pair(1, 'B')));
}

TEST(RowLayersTest, OneLayerIsWhatItIs) {
  EXPECT_THAT(Read(MergeRowLayers({{Stored({{1, 'A'}, {2, 'A'}}), {}}}, kStride)),
              ElementsAre(Pair(1, 'A'), Pair(2, 'A')));
  EXPECT_THAT(Read(MergeRowLayers({{{}, Keys({1})}, {Stored({{1, 'A'}}), {}}}, kStride)), IsEmpty());
}

}  // namespace
}  // namespace syncline
