#include "worker/data/typed_csv.h"

#include "common/hash/feature_key.h"
#include "common/status/status_matchers.h"
#include "worker/data/test_files.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TypedCsvOptions Options(const std::string& columns) {
  TypedCsvOptions options;
  options.columns = *ParseColumns(columns);
  options.rule = {LOGISTIC, 1};
  return options;
}

absl::StatusOr<std::unique_ptr<Dataset>> Read(const std::string& text, const TypedCsvOptions& options) {
  return ReadTypedCsv({TestFile("t.csv", text)}, options);
}

auto Refused(const char* what) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(what));
}

TEST(TypedCsvTest, ReadsColumnsByKind) {
  TypedCsvOptions options = Options("airport=category, label, skip, float, airport=category, category");
  options.header = true;
  options.scale = {1, 2};
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto data, Read("from,late,note,km,to,day\n"
                                                      "SFO,1,\"a, b\",5, LAX ,\"say \"\"hi\"\"\"\n"
                                                      "LAX,0,,7,\"SFO\",\r\n",
                                                      options));
  EXPECT_EQ(data->size(), 2u);
  EXPECT_THAT(FeaturesOf(*data, {0, 1}), ElementsAre(2, 3));
  EXPECT_THAT(TargetsOf(*data, {0, 1}), ElementsAre(1, 0));
  EXPECT_THAT(KeysOf(*data, {0, 1}),
              ElementsAre(FeatureKey("airport", "SFO"), FeatureKey("airport", "LAX"), FeatureKey("5", "say \"hi\""),
                          FeatureKey("airport", "LAX"), FeatureKey("airport", "SFO"), FeatureKey("5", "")));
}

TEST(TypedCsvTest, ComparesLabels) {
  TypedCsvOptions options = Options("label, category");
  options.label_above = 15;
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto data, Read("15,a\n16,a\n-3,a\n", options));
  EXPECT_EQ(data->features(), 0u);
  EXPECT_THAT(TargetsOf(*data, {0, 1, 2}), ElementsAre(0, 1, 0));
  EXPECT_THAT(Read("late,a\n", options), Refused("the label is \"late\", not a finite number"));
}

TEST(TypedCsvTest, EachOfSeveralFilesHasAHeader) {
  TypedCsvOptions options = Options("label, category");
  options.header = true;
  options.separator = ';';
  SYNCLINE_ASSERT_OK_AND_ASSIGN(
      const auto data, ReadTypedCsv({TestFile("a.csv", "l;c\n1;x\n"), TestFile("b.csv", Gzipped("l;c\n0;y\n"))}, options));
  EXPECT_THAT(TargetsOf(*data, {0, 1}), ElementsAre(1, 0));
}

TEST(TypedCsvTest, RefusesBadRows) {
  const TypedCsvOptions options = Options("label, float, category");
  EXPECT_THAT(Read("1,2\n", options), Refused("t.csv:1:1: the row has 2 columns, not 3: what data.columns names"));
  EXPECT_THAT(Read("1,2,3,4\n", options), Refused("t.csv:1:1: the row has 4 columns, not 3"));
  EXPECT_THAT(Read("1,,a\n", options), Refused("t.csv:1:3: column 1 is \"\", not a finite number"));
  EXPECT_THAT(Read("7,1,a\n", options), Refused("t.csv:1:1: the label is \"7\", not 0 (or -1) or 1"));
  EXPECT_THAT(Read("1,1,\"a\n", options), Refused("t.csv:1:5: the quotes of column 2 do not end it"));
  EXPECT_THAT(Read("1,1,\"a\"b\n", options), Refused("the quotes of column 2 do not end it"));
  EXPECT_THAT(Read("\n\n", options), Refused("t.csv: the file holds no rows"));
}

}  // namespace
}  // namespace syncline
