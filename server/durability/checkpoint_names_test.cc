#include "server/durability/checkpoint_names.h"

#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(CheckpointNamesTest, StepsAndSuffixesComeBack) {
  uint64_t step = 0;
  absl::string_view suffix;
  EXPECT_EQ(CheckpointName(42), "step-0000000042");
  EXPECT_TRUE(ParseCheckpointName("step-0000000042", &step, &suffix));
  EXPECT_EQ(step, 42u);
  EXPECT_EQ(suffix, "");
  const std::string partial = CheckpointName(12345678901) + ".partial";  // `suffix` lies in it
  EXPECT_TRUE(ParseCheckpointName(partial, &step, &suffix));
  EXPECT_EQ(step, 12345678901u);
  EXPECT_EQ(suffix, ".partial");
  EXPECT_TRUE(ParseCheckpointName("step-0000000042.replaced", &step, &suffix));
  for (const char* other : {"step-42", "step-0000000042.tmp", "stop-0000000042", "step-", "",
                            "step-99999999999999999999"}) {
    EXPECT_FALSE(ParseCheckpointName(other, &step, &suffix)) << other;
  }
}

TEST(CheckpointNamesTest, ErrorsNameTheFileOnce) {
  EXPECT_EQ(Naming("/a/b", absl::DataLossError("short")).message(), "/a/b: short");
  EXPECT_EQ(Naming("/a/b", absl::DataLossError("/a/b is short")).message(), "/a/b is short");
  EXPECT_TRUE(Naming("/a/b", absl::OkStatus()).ok());
}

}  // namespace
}  // namespace syncline
