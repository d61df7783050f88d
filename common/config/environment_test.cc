#include "common/config/environment.h"

#include <cstdlib>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/reflection.h"
#include "common/status/status_matchers.h"

ABSL_FLAG(int, test_level, 1, "A flag of this test.");
ABSL_FLAG(std::string, coordinator, "", "As the daemons have it.");

namespace syncline {
namespace {

using ::testing::HasSubstr;

TEST(EnvironmentTest, SetsFlags) {
  absl::FlagSaver saver;
  setenv("SYNCLINE_TEST_LEVEL", "7", 1);
  SYNCLINE_EXPECT_OK(SetFlagsFromEnvironment());
  EXPECT_EQ(absl::GetFlag(FLAGS_test_level), 7);
  unsetenv("SYNCLINE_TEST_LEVEL");
}

TEST(EnvironmentTest, TheCommandLineWins) {
  absl::FlagSaver saver;
  setenv("SYNCLINE_TEST_LEVEL", "7", 1);
  SYNCLINE_EXPECT_OK(SetFlagsFromEnvironment());
  char program[] = "test", flag[] = "--test_level=3";
  char* argv[] = {program, flag};
  absl::ParseCommandLine(2, argv);
  EXPECT_EQ(absl::GetFlag(FLAGS_test_level), 3);
  unsetenv("SYNCLINE_TEST_LEVEL");
}

TEST(EnvironmentTest, WrongValuesNameTheVariable) {
  absl::FlagSaver saver;
  setenv("SYNCLINE_TEST_LEVEL", "high", 1);
  EXPECT_THAT(SetFlagsFromEnvironment(), StatusIs(absl::StatusCode::kInvalidArgument,
                                                  HasSubstr("variable SYNCLINE_TEST_LEVEL")));
  EXPECT_EQ(absl::GetFlag(FLAGS_test_level), 1);
  unsetenv("SYNCLINE_TEST_LEVEL");
}

TEST(EnvironmentTest, TfConfigComesBeforeTheVariables) {
  absl::FlagSaver saver;
  setenv("TF_CONFIG", R"({"cluster": {"chief": ["a:1"]}, "task": {"type": "evaluator", "index": 0}})", 1);
  SYNCLINE_EXPECT_OK(SetFlagsFromEnvironment());
  EXPECT_EQ(absl::GetFlag(FLAGS_coordinator), "a:1");
  setenv("SYNCLINE_COORDINATOR", "b:2", 1);
  SYNCLINE_EXPECT_OK(SetFlagsFromEnvironment());
  EXPECT_EQ(absl::GetFlag(FLAGS_coordinator), "b:2");
  unsetenv("SYNCLINE_COORDINATOR");
  setenv("TF_CONFIG", "no JSON", 1);
  EXPECT_THAT(SetFlagsFromEnvironment(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("TF_CONFIG")));
  unsetenv("TF_CONFIG");
}

}  // namespace
}  // namespace syncline
