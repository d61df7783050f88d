// Every manifest we ship is complete, right and, where its data is there, loads it.

#include <string>
#include <vector>

#include "common/config/manifest.h"
#include "common/config/manifest_writer.h"
#include "common/io/posix_file_system.h"
#include "common/status/status_matchers.h"
#include "worker/data/dataset_factory.h"

namespace syncline {
namespace {

std::vector<std::string> Examples() {
  std::vector<std::string> examples;
  const auto names = PosixFileSystem().List("deploy/examples");
  for (const std::string& name : names.ok() ? *names : std::vector<std::string>{}) {
    const bool yaml = name.size() > 5 && name.substr(name.size() - 5) == ".yaml";
    if (yaml) examples.push_back("deploy/examples/" + name);
  }
  return examples;
}

TEST(ExamplesTest, AreThere) { EXPECT_GE(Examples().size(), 5u); }

TEST(ExamplesTest, AreRightAndReadBack) {
  for (const std::string& file : Examples()) {
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const JobManifest job, LoadManifest(file));
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const JobManifest back,
                                  ParseManifest(SerializeManifest(job), file));
    EXPECT_EQ(back.SerializeAsString(), job.SerializeAsString()) << file;
  }
}

TEST(ExamplesTest, DataLoads) {
  int loaded = 0;
  for (const std::string& file : Examples()) {
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const JobManifest job, LoadManifest(file));
    const bool installed =
        job.data().format() == RANDOM_LINEAR || PosixFileSystem().Exists(job.data().train());
    const bool packaged = job.data().format() == IDX || job.data().format() == TEXT;
    const bool prepared = !job.tables().empty();
    if (!installed && (packaged || prepared)) continue;  // dataset-fashion-mnist, fortunes, tests/data/prepare
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const TrainingData data, LoadTrainingData(job));
    EXPECT_EQ(data.train->features(), job.model().input()) << file;
    EXPECT_GE(data.train->size(), 100u) << file;
    ++loaded;
  }
  EXPECT_GE(loaded, 3);
}

}  // namespace
}  // namespace syncline
