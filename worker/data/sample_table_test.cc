#include "worker/data/sample_table.h"

#include <cstdlib>

#include "common/status/status_matchers.h"
#include "worker/data/test_files.h"

namespace syncline {
namespace {

using testing::ElementsAre;

TEST(SampleTableTest, GivesWhatWasAddedScaled) {
  for (const std::string& scratch : {std::string(), std::string(std::getenv("TEST_TMPDIR"))}) {
    SampleTable table(2, 1, {1, 2}, scratch);
    for (int sample = 0; sample < 3; ++sample) {
      table.AddFeature(static_cast<float>(sample));
      table.AddFeature(5);
      table.AddKey(100 + sample);
      table.AddLabel(static_cast<float>(sample));
    }
    EXPECT_EQ(table.samples(), 3u);
    SYNCLINE_EXPECT_OK(table.status());
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto data, table.Finish());
    EXPECT_EQ(data->size(), 3u);
    EXPECT_THAT(FeaturesOf(*data, {2, 0}), ElementsAre(0.5, 2, -0.5, 2));
    EXPECT_THAT(KeysOf(*data, {2, 0}), ElementsAre(102, 100));
    EXPECT_THAT(ClassesOf(*data, {2, 0}), ElementsAre(2, 0));
  }
}

}  // namespace
}  // namespace syncline
