#include "common/config/flags.h"

#include <string>
#include <vector>

#include "absl/flags/parse.h"
#include "absl/flags/reflection.h"
#include "common/config/field_paths.h"
#include "common/status/status_matchers.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::string> OverridesOf(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "program");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  absl::ParseCommandLine(static_cast<int>(argv.size()), argv.data());
  std::vector<std::string> texts;
  for (const FieldOverride& o : ManifestOverrides()) {
    texts.push_back(o.origin + " " + o.path + " " + o.text);
  }
  return texts;
}

TEST(FlagsTest, EveryFieldHasAFlagWithHelp) {
  for (const std::string& path : SettableFields(*JobManifest::descriptor())) {
    const auto* flag = absl::FindCommandLineFlag(FlagNameOfField(path));
    ASSERT_NE(flag, nullptr) << path << " has no flag in flags.cc";
    EXPECT_THAT(flag->Help(), Not(IsEmpty())) << path;
  }
}

TEST(FlagsTest, SaysWhichWereGiven) {
  absl::FlagSaver saver;
  EXPECT_THAT(OverridesOf({}), IsEmpty());
  EXPECT_THAT(
      OverridesOf({"--epochs=1", "--model_layers=[relu]", "--optimizer_schedule_gamma", "0.5"}),
      ElementsAre("--model_layers model.layers [relu]", "--epochs epochs 1",
                  "--optimizer_schedule_gamma optimizer.schedule.gamma 0.5"));
}

TEST(FlagsTest, SwitchesMayStandAlone) {
  absl::FlagSaver saver;
  EXPECT_THAT(OverridesOf({"--allow_tf32", "--noallow_bf16", "--nodata_header"}),
              ElementsAre("--data_header data.header false", "--allow_tf32 allow_tf32 true",
                          "--allow_bf16 allow_bf16 false"));
}

TEST(FlagsTest, DefaultsAreShown) {
  EXPECT_EQ(absl::FindCommandLineFlag("batch_size")->DefaultValue(), "128");
  EXPECT_EQ(absl::FindCommandLineFlag("sync_mode")->DefaultValue(), "sync");
}

TEST(FlagsTest, GoIntoTheManifest) {
  absl::FlagSaver saver;
  OverridesOf({"--epochs=none"});
  EXPECT_THAT(ParseManifest("name: x", "f", ManifestOverrides()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--epochs: none is not a whole number")));
}

}  // namespace
}  // namespace syncline
