#include "worker/data/idx.h"

#include "common/status/status_matchers.h"
#include "worker/data/test_files.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kImageHead("\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x02", 16);
const std::string kLabelHead("\0\0\x08\x01\0\0\0\x02", 8);
const std::string kImages = kImageHead + std::string("\x00\xff\x33\x66", 4);
const std::string kLabels = kLabelHead + std::string("\x02\x00", 2);

absl::StatusOr<std::unique_ptr<Dataset>> Read(const std::string& images, const std::string& labels,
                                              size_t features = 2) {
  return ReadIdx(TestFile("images", images), TestFile("labels", labels), features, {0.5, 0.5},
                 {SOFTMAX_CROSS_ENTROPY, 3});
}

auto Refused(const char* what) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(what));
}

TEST(IdxTest, ReadsPlainAndGzipped) {
  for (const bool gzipped : {false, true}) {
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto data, Read(gzipped ? Gzipped(kImages) : kImages,
                                                        gzipped ? Gzipped(kLabels) : kLabels));
    EXPECT_EQ(data->size(), 2u);
    EXPECT_EQ(data->features(), 2u);
    const auto near = [](float x) { return testing::FloatNear(x, 1e-6f); };
    EXPECT_THAT(FeaturesOf(*data, {1, 0}),
                ElementsAre(near(-0.6f), near(-0.2f), near(-1), near(1)));
    EXPECT_THAT(ClassesOf(*data, {0, 1}), ElementsAre(2, 0));
  }
}

TEST(IdxTest, RefusesWhatIsNoIdx) {
  EXPECT_THAT(Read("hello world", kLabels), Refused("images: not an IDX file"));
  EXPECT_THAT(Read(kImages, "xx"), Refused("labels: not an IDX file"));
  EXPECT_THAT(Read(kImages.substr(0, 10), kLabels), Refused("ends inside the IDX header"));
  EXPECT_THAT(Read("", kLabels), Refused("the file is empty"));
}

TEST(IdxTest, RefusesCutAndPaddedFiles) {
  EXPECT_THAT(Read(kImages.substr(0, 19), kLabels),
              Refused("images: has 19 bytes, and its header says 20: cut short?"));
  EXPECT_THAT(Read(kImages + "x", kLabels), Refused("has 21 bytes, and its header says 20"));
  const std::string huge("\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16);
  EXPECT_THAT(Read(huge, kLabels), Refused("features a sample"));
}

TEST(IdxTest, RefusesWhatDoesNotFitTheModel) {
  EXPECT_THAT(Read(kImages, kLabels, 784), Refused("2 features a sample, and model.input is 784"));
  EXPECT_THAT(Read(kImages, kLabelHead + std::string("\x03\x00", 2)),
              Refused("labels: label 0 is 3, not a class: a whole number in [0, 3)"));
  const std::string one("\0\0\x08\x01\0\0\0\x01\x02", 9);
  EXPECT_THAT(Read(kImages, one), Refused("labels: has 1 labels, and "));
  EXPECT_THAT(Read(kImages, kImages), Refused("more than one label a sample"));
}

}  // namespace
}  // namespace syncline
