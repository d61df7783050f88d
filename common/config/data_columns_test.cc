#include "common/config/data_columns.h"

#include "common/status/status_matchers.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = DataColumn::Kind;

auto Refused(const char* what) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(what));
}

TEST(DataColumnsTest, ReadsKindsAndNames) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto columns,
                                ParseColumns("label, skip,float , airport=category,airport = category,category"));
  ASSERT_EQ(columns.size(), 6u);
  EXPECT_EQ(columns[0].kind, Kind::kLabel);
  EXPECT_EQ(columns[1].kind, Kind::kSkip);
  EXPECT_EQ(columns[2].kind, Kind::kFloat);
  EXPECT_EQ(columns[3].kind, Kind::kCategory);
  EXPECT_EQ(columns[3].name, "airport");
  EXPECT_EQ(columns[4].name, "airport");
  EXPECT_EQ(columns[5].name, "5");
}

TEST(DataColumnsTest, RefusesOtherTexts) {
  EXPECT_THAT(ParseColumns("label, number"), Refused("\"number\" is not label, float, category, skip"));
  EXPECT_THAT(ParseColumns("label,"), Refused("\"\" is not label"));
  EXPECT_THAT(ParseColumns("label, =category"), Refused("has no name"));
  EXPECT_THAT(ParseColumns("float"), Refused("names 0 label columns; accepted: 1"));
  EXPECT_THAT(ParseColumns("label, label"), Refused("names 2 label columns"));
}

TEST(DataColumnsTest, CountsWhatASampleHas) {
  Data data;
  data.set_format(CSV);
  EXPECT_FALSE(ShapeOfData(data).known);
  data.set_columns("label, float, category, skip, category, category");
  EXPECT_TRUE(ShapeOfData(data).known);
  EXPECT_EQ(ShapeOfData(data).floats, 1u);
  EXPECT_EQ(ShapeOfData(data).categories, 3u);
  data.set_columns("what");
  EXPECT_FALSE(ShapeOfData(data).known);
  data.set_format(CRITEO);
  EXPECT_EQ(ShapeOfData(data).floats, 13u);
  EXPECT_EQ(ShapeOfData(data).categories, 26u);
  data.set_format(LIBSVM);
  EXPECT_FALSE(ShapeOfData(data).known);
  data.set_entry_keys(30);
  EXPECT_TRUE(ShapeOfData(data).known);
  EXPECT_EQ(ShapeOfData(data).floats, 0u);
  EXPECT_EQ(ShapeOfData(data).categories, 30u);
}

TEST(DataColumnsTest, ReadsFields) {
  EXPECT_THAT(ParseFields("0-2, 5", 6), IsOkAndHolds(ElementsAre(0, 1, 2, 5)));
  EXPECT_THAT(ParseFields("3", 6), IsOkAndHolds(ElementsAre(3)));
  EXPECT_THAT(ParseFields("0-6", 6), Refused("there is no field 6: the data has 6"));
  EXPECT_THAT(ParseFields("2-1", 6), Refused("is not all, nor a list of fields"));
  EXPECT_THAT(ParseFields("", 6), Refused("is not all"));
  EXPECT_THAT(ParseFields("1, 0-2", 6), Refused("names field 1 twice"));
}

}  // namespace
}  // namespace syncline
