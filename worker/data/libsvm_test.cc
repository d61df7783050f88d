#include "worker/data/libsvm.h"

#include "common/status/status_matchers.h"
#include "worker/data/test_files.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<std::unique_ptr<Dataset>> Read(const std::string& text, FeatureScale scale = {}) {
  return ReadLibsvm(TestFile("t.svm", text), 3, scale, {LOGISTIC, 1});
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
