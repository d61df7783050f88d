// The device that pretends keeps what real ones promise, so what passes with it can be believed.

#include <cstdlib>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "worker/backend/conformance/group_conformance.h"
#include "worker/backend/loader.h"

namespace syncline {
namespace {

LoadedBackend Load(const std::string& device, int place = 0) {
  LoadedBackend loaded;
  std::string error;
  const std::string folder = std::string(std::getenv("TEST_SRCDIR")) + "/syncline/tests/pretend_gpu";
  EXPECT_TRUE(LoadBackend({device, folder, place}, &loaded, &error)) << error;
  return loaded;
}

const Backend& PretendGpu() { return *Load("cuda").backend; }

TEST(PretendGpuTest, AutoTakesThemInTurn) {
  EXPECT_EQ(Load("auto").ordinal, 0);
  EXPECT_EQ(Load("auto", 3).ordinal, 3);
  EXPECT_EQ(Load("auto", 11).ordinal, 3) << "there are 8";
  EXPECT_EQ(Load("cuda:2", 3).ordinal, 2);
}

TEST(PretendGpuTest, FormsGroups) {
  for (const int ranks : {1, 2, 3, 5}) {
    const GroupConformance result = CheckGroups(PretendGpu(), ranks);
    EXPECT_EQ(result.skipped, "");
    EXPECT_EQ(result.failure, "") << ranks;
  }
}

// The check must be able to fail.
TEST(PretendGpuTest, WrongGroupsAreFound) {
  Backend wrong = PretendGpu();
  BackendGroups groups = *wrong.groups;
  groups.reduce = wrong.groups->broadcast;
  wrong.groups = &groups;
  EXPECT_THAT(CheckGroups(wrong, 2).failure, ::testing::HasSubstr("and not"));
}

TEST(PretendGpuTest, SaysWhyThereAreNone) {
  ASSERT_EQ(setenv("PRETEND_GPU_GROUPS", "none", 1), 0);
  EXPECT_THAT(CheckGroups(PretendGpu(), 2).skipped, ::testing::HasSubstr("not there"));
  ASSERT_EQ(unsetenv("PRETEND_GPU_GROUPS"), 0);
}

}  // namespace
}  // namespace syncline
