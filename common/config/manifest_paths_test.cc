#include "common/config/manifest_paths.h"

#include <cstdlib>

#include "common/status/status_matchers.h"

namespace syncline {
namespace {

using ::testing::HasSubstr;

auto Refused(const char* what) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(what));
}

TEST(ManifestPathsTest, RelativePathsStartInTheFolder) {
  EXPECT_THAT(ResolvePath("a/b.csv", "/jobs"), IsOkAndHolds("/jobs/a/b.csv"));
  EXPECT_THAT(ResolvePath("/data/b.csv", "/jobs"), IsOkAndHolds("/data/b.csv"));
  EXPECT_THAT(ResolvePath("", "/jobs"), IsOkAndHolds(""));
}

TEST(ManifestPathsTest, ExpandsVariables) {
  setenv("SYNCLINE_PATHS_TEST", "/set", 1);
  unsetenv("SYNCLINE_PATHS_TEST_2");
  EXPECT_THAT(ResolvePath("${SYNCLINE_PATHS_TEST}/x", "/j"), IsOkAndHolds("/set/x"));
  EXPECT_THAT(ResolvePath("${SYNCLINE_PATHS_TEST:-/d}/x", "/j"), IsOkAndHolds("/set/x"));
  EXPECT_THAT(ResolvePath("${SYNCLINE_PATHS_TEST_2:-/d}/x", "/j"), IsOkAndHolds("/d/x"));
  EXPECT_THAT(ResolvePath("${SYNCLINE_PATHS_TEST_2:-r}/x", "/j"), IsOkAndHolds("/j/r/x"));
  EXPECT_THAT(ResolvePath("/a$b}", "/j"), IsOkAndHolds("/a$b}"));
}

TEST(ManifestPathsTest, RefusesVariablesWithoutValueOrEnd) {
  unsetenv("SYNCLINE_PATHS_TEST_2");
  EXPECT_THAT(ResolvePath("${SYNCLINE_PATHS_TEST_2}/x", "/j"),
              Refused("the environment variable SYNCLINE_PATHS_TEST_2 is not set"));
  EXPECT_THAT(ResolvePath("/x/${HOME", "/j"), Refused("${HOME has no closing }"));
  EXPECT_THAT(ResolvePath("${SYNCLINE_PATHS_TEST_2:-/d/${HOME}}", "/j"), Refused("cannot stand in one another"));
  EXPECT_THAT(ResolvePath("${SYNCLINE_PATHS_TEST_2:-$}{HOME", "/j"), Refused("cannot stand in one another"));
}

TEST(ManifestPathsTest, ResolvesAllPathsOfAManifestOnly) {
  JobManifest job;
  job.set_name("x");
  job.mutable_data()->set_train("t");
  job.mutable_checkpoint()->set_directory("c");
  FieldLog log("f");
  ResolveManifestPaths("/j", &job, &log);
  SYNCLINE_EXPECT_OK(log.ToStatus());
  EXPECT_EQ(job.name(), "x");
  EXPECT_EQ(job.data().train(), "/j/t");
  EXPECT_EQ(job.checkpoint().directory(), "/j/c");
  EXPECT_FALSE(job.data().has_test());
}

TEST(ManifestPathsTest, ProblemsNameTheField) {
  JobManifest job;
  job.mutable_data()->set_test("${SYNCLINE_PATHS_TEST_2}");
  FieldLog log("f");
  ResolveManifestPaths("/j", &job, &log);
  EXPECT_THAT(log.ToStatus(), Refused("f: data.test: the environment variable"));
}

TEST(ManifestPathsTest, FolderOfIsAbsolute) {
  EXPECT_EQ(FolderOf("/a/b.yaml"), "/a");
  EXPECT_EQ(FolderOf("b.yaml").front(), '/');
}

}  // namespace
}  // namespace syncline
