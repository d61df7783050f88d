#include "server/store/row_stream.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using testing::ElementsAre;

std::vector<std::string> Rows(const Fragments& fragments) {
  std::vector<std::string> rows;
  const absl::Status status = ForEachRow(fragments, 3, [&](const char* row) {
    rows.emplace_back(row, 3);
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok());
  return rows;
}

TEST(RowStreamTest, RowsComeHoweverTheyAreCut) {
  const std::string bytes = "aaabbbcccddd";
  for (size_t i = 0; i <= bytes.size(); ++i) {
    for (size_t j = i; j <= bytes.size(); ++j) {
      Fragments cut;
      cut.Append(bytes.data(), i);
      cut.Append(bytes.data() + i, j - i);
      cut.Append(bytes.data() + j, bytes.size() - j);
      EXPECT_THAT(Rows(cut), ElementsAre("aaa", "bbb", "ccc", "ddd")) << i << ' ' << j;
    }
  }
  EXPECT_TRUE(Rows(Fragments()).empty());
}

TEST(RowStreamTest, StopsAtAnError) {
  int visited = 0;
  const absl::Status status = ForEachRow(Fragments::Of("aaabbb", 6), 3, [&](const char*) {
    ++visited;
    return absl::InternalError("full");
  });
  EXPECT_EQ(status.message(), "full");
  EXPECT_EQ(visited, 1);
}

}  // namespace
}  // namespace syncline
