#include "worker/data/column_splitter.h"

#include "common/status/status_matchers.h"

namespace syncline {
namespace {

using testing::HasSubstr;

// The only line of a text.
LineReader Line(absl::string_view text) {
  LineReader reader(text);
  reader.Next();
  return reader;
}

auto Refused(const char* what) { return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(what)); }

TEST(ColumnSplitterTest, SplitsAtSeparators) {
  ColumnSplitter splitter({3, "three", '\t', false});
  SYNCLINE_ASSERT_OK(splitter.Split("f", Line("a\t\t\"c\"\n")));
  EXPECT_EQ(splitter.field(0), "a");
  EXPECT_EQ(splitter.field(1), "");
  EXPECT_EQ(splitter.field(2), "\"c\"");
}

TEST(ColumnSplitterTest, TakesQuotesOff) {
  ColumnSplitter splitter({3, "three", ',', true});
  SYNCLINE_ASSERT_OK(splitter.Split("f", Line("\"a,\"\"b\"\"\",x,\"\"")));
  EXPECT_EQ(splitter.field(0), "a,\"b\"");
  EXPECT_EQ(splitter.field(1), "x");
  EXPECT_EQ(splitter.field(2), "");
  EXPECT_EQ(splitter.place(2), "\"\"");
  SYNCLINE_ASSERT_OK(splitter.Split("f", Line("1,2,3")));
  EXPECT_EQ(splitter.field(0), "1");
}

TEST(ColumnSplitterTest, SaysWhatIsWrong) {
  ColumnSplitter splitter({2, "this and that", ',', true});
  EXPECT_THAT(splitter.Split("f", Line("1")), Refused("f:1:1: the row has 1 columns, not 2: this and that"));
  EXPECT_THAT(splitter.Split("f", Line("1,2,3,4")), Refused("the row has 4 columns"));
  EXPECT_THAT(splitter.Split("f", Line("1,\"a")), Refused("f:1:3: the quotes of column 1 do not end it"));
  EXPECT_THAT(splitter.Split("f", Line("1,\"a\"b")), Refused("the quotes of column 1"));
  EXPECT_THAT(splitter.Split("f", Line("1,2,3,\"")), Refused("the quotes of column 3"));
}

}  // namespace
}  // namespace syncline
