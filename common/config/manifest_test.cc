#include "common/config/manifest.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "common/status/status_matchers.h"

namespace syncline {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::Eq;
using ::testing::HasSubstr;

constexpr char kGood[] =
    "name: iris\n"
    "model:\n"
    "  input: 4\n"
    "  layers:\n"
    "    - linear: {units: 3}\n"
    "data:\n"
    "  format: csv\n"
    "  train: iris.csv\n"
    "  test_fraction: 0.2\n";

auto Refused(const char* message) {
  return StatusIs(absl::StatusCode::kInvalidArgument, Eq(message));
}

TEST(ManifestTest, ComesCompleteWithAbsolutePaths) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const JobManifest job, ParseManifest(kGood, "/jobs/iris.yaml"));
  EXPECT_EQ(job.name(), "iris");
  EXPECT_EQ(job.data().train(), "/jobs/iris.csv");
  EXPECT_EQ(job.data().test_fraction(), 0.2);
  EXPECT_EQ(job.batch_size(), 128u);
  EXPECT_TRUE(job.model().layers(0).linear().bias());
}

TEST(ManifestTest, ErrorsNameFileLineColumnAndField) {
  EXPECT_THAT(ParseManifest(std::string(kGood) + "workers: 0\n", "f.yaml"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("f.yaml:10:10: workers: 0 is not in [1, 65536]")));
  std::string yaml = kGood;
  yaml.replace(yaml.find("0.2"), 3, "1.5");
  EXPECT_THAT(ParseManifest(yaml, "f.yaml"),
              Refused("f.yaml:9:18: data.test_fraction: 1.5 is not in [0, 1)"));
}

TEST(ManifestTest, MissingFieldsAreReportedWhereTheyBelong) {
  EXPECT_THAT(ParseManifest("name: x\nmodel:\n  input: 2\ndata: {format: idx}\n", "f"),
              Refused("f:2:1: model.layers: missing; name at least one, as in `- linear: {units: "
                      "10}`\n"
                      "f:4:1: data.train: missing; name the file with the training data\n"
                      "f:4:1: data.train_labels: missing; name the file with the labels of "
                      "data.train"));
}

TEST(ManifestTest, OverridesWin) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(
      const JobManifest job,
      ParseManifest(
          kGood, "f",
          {{"epochs", "7", "--epochs"},
           {"data.test_fraction", "0", "--data_test_fraction"},
           {"data.train", "/x.csv", "--data_train"},
           {"model.layers", "[linear: {units: 8}, relu, linear: {units: 2}]", "--model_layers"}}));
  EXPECT_EQ(job.epochs(), 7u);
  EXPECT_TRUE(job.data().has_test_fraction());
  EXPECT_EQ(job.data().test_fraction(), 0);
  EXPECT_EQ(job.data().train(), "/x.csv");
  EXPECT_EQ(job.model().layers_size(), 3);
}

TEST(ManifestTest, ErrorsInOverridesNameTheFlag) {
  EXPECT_THAT(ParseManifest(kGood, "f", {{"epochs", "many", "--epochs"}}),
              Refused("--epochs: many is not a whole number"));
  EXPECT_THAT(ParseManifest(kGood, "f", {{"epochs", "0", "--epochs"}}),
              Refused("--epochs: 0 is not in [1, 1000000]"));
  EXPECT_THAT(ParseManifest(kGood, "f", {{"model.layers", "[rellu]", "--model_layers"}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("--model_layers:1:2: model.layers[0]: rellu is not one of"),
                             EndsWith("did you mean relu?"))));
  EXPECT_THAT(ParseManifest(kGood, "f", {{"model.layers", "[relu", "--model_layers"}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--model_layers: value:1:1: not a valid manifest:")));
}

TEST(ManifestTest, OverridesMayMendTheFile) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(
      const JobManifest job,
      ParseManifest(std::string(kGood) + "workers: 0\n", "f", {{"workers", "2", "--workers"}}));
  EXPECT_EQ(job.workers(), 2u);
}

TEST(ManifestTest, LoadsFiles) {
  const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/job.yaml";
  std::ofstream(path) << kGood;
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const JobManifest job, LoadManifest(path));
  EXPECT_EQ(job.name(), "iris");
  std::ofstream(path, std::ios::trunc);
  EXPECT_THAT(LoadManifest(path), StatusIs(absl::StatusCode::kInvalidArgument,
                                           HasSubstr("job.yaml:1:1: not a valid manifest: it is "
                                                     "empty")));
}

TEST(ManifestTest, UnreadableFilesAreNamed) {
  EXPECT_THAT(LoadManifest("/nowhere/job.yaml"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/nowhere/job.yaml")));
}

TEST(ManifestTest, CompletingTwiceChangesNothing) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(JobManifest job, ParseManifest(kGood, "/f"));
  const std::string before = job.SerializeAsString();
  SYNCLINE_ASSERT_OK(CompleteManifest(&job));
  EXPECT_EQ(job.SerializeAsString(), before);
  job.clear_name();
  EXPECT_THAT(CompleteManifest(&job),
              Refused("manifest: name: missing; give the job a name, as in `name: my-job`"));
}

}  // namespace
}  // namespace syncline
