#include "worker/data/libsvm.h"

#include <cstdlib>

#include "common/hash/feature_key.h"
#include "common/status/status_matchers.h"
#include "worker/data/test_files.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<std::unique_ptr<Dataset>> Read(const std::string& text, FeatureScale scale = {}) {
  return ReadLibsvm({TestFile("t.svm", text)}, {3, 0, scale, {LOGISTIC, 1}});
}

auto Refused(const char* what) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(what));
}

TEST(LibsvmTest, ReadsSparseRows) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto data,
                                Read("+1 1:0.5 3:-2 # first\n-1  2:1 \n# nothing\n0\n"));
  EXPECT_EQ(data->size(), 3u);
  EXPECT_THAT(FeaturesOf(*data, {0, 1, 2}), ElementsAre(0.5, 0, -2, 0, 1, 0, 0, 0, 0));
  EXPECT_THAT(TargetsOf(*data, {0, 1, 2}), ElementsAre(1, 0, 0));
}

TEST(LibsvmTest, ScalesWhatIsLeftOutToo) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto data, Read("1 1:5\n", {1, 2}));
  EXPECT_THAT(FeaturesOf(*data, {0}), ElementsAre(2, -0.5, -0.5));
}

absl::StatusOr<std::unique_ptr<Dataset>> ReadKeys(const std::string& text) {
  return ReadLibsvm({TestFile("t.svm", text)}, {0, 3, {}, {LOGISTIC, 1}});
}

TEST(LibsvmTest, EntriesMayBeKeys) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto data, ReadKeys("1 7:1 9:0 8000000000:1\n0\n1 0:1 007:1 8:1.0\n"));
  EXPECT_EQ(data->features(), 0u);
  EXPECT_EQ(data->fields(), 3u);
  const uint64_t seven = FeatureKey("index", "7"), large = FeatureKey("index", "8000000000");
  EXPECT_THAT(KeysOf(*data, {0, 1}), ElementsAre(seven, large, kNoKey, kNoKey, kNoKey, kNoKey));
  EXPECT_THAT(KeysOf(*data, {2}), ElementsAre(FeatureKey("index", "0"), seven, FeatureKey("index", "8")));
  EXPECT_THAT(ReadKeys("1 1:1 2:1 3:1 4:1\n"),
              Refused("t.svm:1:15: the line has more than 3 entries; raise data.entry_keys"));
  EXPECT_THAT(ReadKeys("1 1:0.5\n"), Refused("t.svm:1:3: the value is 0.5, not 1 (or 0)"));
}

TEST(LibsvmTest, ReadsSeveralFilesAndKeepsThemInAFile) {
  const LibsvmOptions options = {3, 0, {}, {LOGISTIC, 1}, std::getenv("TEST_TMPDIR")};
  SYNCLINE_ASSERT_OK_AND_ASSIGN(
      const auto data, ReadLibsvm({TestFile("a.svm", "1 1:2\n"), TestFile("b.svm", Gzipped("0 2:3 3:4\n"))}, options));
  EXPECT_THAT(FeaturesOf(*data, {1, 0}), ElementsAre(0, 3, 4, 2, 0, 0));
  EXPECT_THAT(TargetsOf(*data, {1, 0}), ElementsAre(0, 1));
}

TEST(LibsvmTest, RefusesBadEntries) {
  EXPECT_THAT(Read("1 1:2\n1 2\n"), Refused("t.svm:2:3: \"2\" is not INDEX:VALUE"));
  EXPECT_THAT(Read("1 x:2\n"), Refused("t.svm:1:3: \"x:2\" is not INDEX:VALUE"));
  EXPECT_THAT(Read("1 1:nan\n"), Refused("with a finite number"));
  EXPECT_THAT(Read("1 0:2\n"), Refused("index 0 is not in [1, 3]"));
  EXPECT_THAT(Read("1 4:2\n"), Refused("index 4 is not in [1, 3]"));
  EXPECT_THAT(Read("1 2:1 2:1\n"), Refused("t.svm:1:7: index 2 comes after 2"));
}

TEST(LibsvmTest, RefusesBadLabelsAndEmptyFiles) {
  EXPECT_THAT(Read("2 1:1\n"), Refused("t.svm:1:1: the label is \"2\", not 0 (or -1) or 1"));
  EXPECT_THAT(Read("1:1\n"), Refused("the label is \"1:1\""));
  EXPECT_THAT(Read("# nothing\n"), Refused("t.svm: the file holds no samples"));
}

}  // namespace
}  // namespace syncline
