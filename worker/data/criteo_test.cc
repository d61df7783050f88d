#include "worker/data/criteo.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/hash/feature_key.h"
#include "common/status/status_matchers.h"
#include "worker/data/test_files.h"

namespace syncline {
namespace {

using ::testing::HasSubstr;

// Number i is i, and category i its text, but for what is replaced.
std::string Line(const std::string& label, std::vector<std::pair<int, std::string>> replaced = {}) {
  std::vector<std::string> columns = {label};
  for (int i = 1; i <= 13; ++i) columns.push_back(std::to_string(i));
  for (int i = 1; i <= 26; ++i) columns.push_back(absl::StrCat("68fd1e", i));
  for (const auto& [column, text] : replaced) columns[column] = text;
  return absl::StrJoin(columns, "\t") + "\n";
}

absl::StatusOr<std::unique_ptr<Dataset>> Read(const std::vector<std::string>& texts) {
  std::vector<std::string> paths;
  for (const std::string& text : texts) paths.push_back(TestFile(absl::StrCat("day_", paths.size(), ".tsv"), text));
  return ReadCriteo(paths, {}, {LOGISTIC, 1});
}

auto Refused(const char* what) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(what));
}

TEST(CriteoTest, ReadsFilesInOrder) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(
      const auto data, Read({Line("1") + Line("0", {{1, ""}, {2, "-2"}, {14, ""}, {39, ""}}), Zstandard(Line("1"))}));
  EXPECT_EQ(data->size(), 3u);
  EXPECT_EQ(data->features(), 13u);
  EXPECT_EQ(data->fields(), 26u);
  EXPECT_THAT(TargetsOf(*data, {0, 1, 2}), testing::ElementsAre(1, 0, 1));
  const std::vector<float> features = FeaturesOf(*data, {0, 1});
  for (int i = 0; i < 13; ++i) EXPECT_FLOAT_EQ(features[i], std::log(2.0f + static_cast<float>(i)));
  EXPECT_EQ(features[13], 0);
  EXPECT_EQ(features[14], 0);
  EXPECT_FLOAT_EQ(features[15], std::log(4.0f));
  const std::vector<uint64_t> keys = KeysOf(*data, {0, 1, 2});
  EXPECT_EQ(keys[0], FeatureKey("C1", "68fd1e1"));
  EXPECT_EQ(keys[25], FeatureKey("C26", "68fd1e26"));
  EXPECT_EQ(keys[26], FeatureKey("C1", ""));
  EXPECT_EQ(keys[27], keys[1]);
  EXPECT_EQ(keys[51], FeatureKey("C26", ""));
  EXPECT_EQ(keys[52], keys[0]);
}

TEST(CriteoTest, RefusesBadLines) {
  EXPECT_THAT(Read({Line("2")}), Refused("day_0.tsv:1:1: the label is \"2\", not 0 (or -1) or 1"));
  EXPECT_THAT(Read({Line("1"), Line("1", {{3, "1.5"}})}),
              Refused("day_1.tsv:1:7: number 3 is \"1.5\", not a whole number or nothing"));
  EXPECT_THAT(Read({Line("1") + "1\t2\n"}),
              Refused("day_0.tsv:2:1: the row has 2 columns, not 40: the label, 13 numbers"));
  EXPECT_THAT(Read({Line("1\t1")}), Refused("has 41 columns"));
  EXPECT_THAT(Read({"\n\n"}), Refused("the file holds no samples"));
}

}  // namespace
}  // namespace syncline
