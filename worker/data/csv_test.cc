#include "worker/data/csv.h"

#include "common/status/status_matchers.h"
#include "worker/data/test_files.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Two features and a class of three, unless told otherwise.
CsvOptions Options() {
  CsvOptions options;
  options.features = 2;
  options.rule = {SOFTMAX_CROSS_ENTROPY, 3};
  return options;
}

auto Refused(const char* what) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(what));
}

absl::StatusOr<std::unique_ptr<Dataset>> Read(const std::string& text,
                                              const CsvOptions& options = Options()) {
  return ReadCsv({TestFile("t.csv", text)}, options);
}

TEST(CsvTest, ReadsRows) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto data, Read("1,2.5,0\r\n\n -3 ,+4e1,\"2\"\n5,6,1"));
  EXPECT_EQ(data->size(), 3u);
  EXPECT_THAT(FeaturesOf(*data, {0, 1, 2}), ElementsAre(1, 2.5, -3, 40, 5, 6));
  EXPECT_THAT(ClassesOf(*data, {0, 1, 2}), ElementsAre(0, 2, 1));
}

TEST(CsvTest, ReadsOtherTables) {
  CsvOptions options = Options();
  options.label_column = 1;
  options.header = true;
  options.separator = ';';
  options.rule = {MEAN_SQUARED_ERROR, 1};
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto data, Read("a;y;b\n1;-0.5;2\n", options));
  EXPECT_THAT(FeaturesOf(*data, {0}), ElementsAre(1, 2));
  EXPECT_THAT(TargetsOf(*data, {0}), ElementsAre(-0.5));
}

TEST(CsvTest, RefusesRaggedRows) {
  EXPECT_THAT(Read("1,2,0\n1,2\n"), Refused("t.csv:2:1: the row has 2 columns, not 3"));
  EXPECT_THAT(Read("1,2,0,9\n"), Refused("t.csv:1:1: the row has 4 columns, not 3"));
}

TEST(CsvTest, RefusesWhatIsNoNumber) {
  EXPECT_THAT(Read("1,2,0\n1,red,0\n"),
              Refused("t.csv:2:3: column 1 is \"red\", not a finite number"));
  EXPECT_THAT(Read("1,,0\n"), Refused("t.csv:1:3: column 1 is \"\", not a finite number"));
  EXPECT_THAT(Read("nan,1,0\n"), Refused("t.csv:1:1: column 0 is \"nan\""));
  EXPECT_THAT(Read("1,inf,0\n"), Refused("\"inf\""));
  EXPECT_THAT(Read("1,1e999,0\n"), Refused("\"1e999\""));
}

TEST(CsvTest, RefusesLabelsWithoutAnOutput) {
  for (const char* label : {"3", "-1", "0.5", "cat"}) {
    EXPECT_THAT(Read(std::string("1,2,") + label + "\n"), Refused("t.csv:1:5: the label is \""))
        << label;
  }
  EXPECT_THAT(Read("1,2,3\n"), Refused("not a class: a whole number in [0, 3)"));
}

TEST(CsvTest, RefusesEmptyTablesAndColumnsThatAreNotThere) {
  EXPECT_THAT(Read("\n\n"), Refused("t.csv: the file holds no rows"));
  CsvOptions options = Options();
  options.header = true;
  EXPECT_THAT(Read("a,b,c\n", options), Refused("holds no rows"));
  options.label_column = 3;
  EXPECT_THAT(Read("1,2,0\n", options), Refused("data.label_column: 3 is not in [-3, 2]"));
}

}  // namespace
}  // namespace syncline
