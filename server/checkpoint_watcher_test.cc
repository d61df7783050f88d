#include "server/checkpoint_watcher.h"

#include <vector>

#include "common/io/fault_file_system.h"
#include "common/status/status_matchers.h"
#include "server/durability/checkpoint_samples.h"

namespace syncline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Watched {
  Watched() {
    CheckpointWatcher::Options options;
    options.files = &files;
    options.directory = "/c";
    options.serve = [this](std::shared_ptr<ServedCheckpoint> next) { steps.push_back(next->step()); };
    watcher = std::make_unique<CheckpointWatcher>(std::move(options));
  }
  void Look(int times = 1) {
    for (int i = 0; i < times; ++i) watcher->Look();
  }

  FaultFileSystem files;
  std::vector<uint64_t> steps;
  std::unique_ptr<CheckpointWatcher> watcher;
};

TEST(CheckpointWatcherTest, TakesEachCheckpointOnce) {
  Watched watched;
  watched.Look();
  EXPECT_THAT(watched.watcher->trouble(), HasSubstr("holds no checkpoint"));
  SYNCLINE_ASSERT_OK(WriteSample(watched.files, "/c", 2, 5).status());
  watched.Look(3);
  SYNCLINE_ASSERT_OK(WriteSample(watched.files, "/c", 1, 7).status());
  watched.Look(3);
  EXPECT_THAT(watched.steps, ElementsAre(5, 7));
  EXPECT_EQ(watched.watcher->trouble(), "");
  EXPECT_EQ(watched.watcher->refused(), 0u);
}

// In bounded and async a checkpoint of the same step may take the place of one.
TEST(CheckpointWatcherTest, TakesAnotherOfTheSameStep) {
  Watched watched;
  SYNCLINE_ASSERT_OK(WriteSample(watched.files, "/c", 1, 5).status());
  watched.Look();
  SYNCLINE_ASSERT_OK(WriteSample(watched.files, "/c", 2, 5).status());
  watched.Look(2);
  EXPECT_THAT(watched.steps, ElementsAre(5, 5));
}

TEST(CheckpointWatcherTest, TriesADamagedOneEverMoreSeldom) {
  Watched watched;
  SYNCLINE_ASSERT_OK(WriteSample(watched.files, "/c", 1, 5).status());
  watched.Look();
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const std::string broken, WriteSample(watched.files, "/c", 1, 6));
  const std::string file = broken + "/shard-00000.safetensors";
  const std::string bytes = *ReadFile(watched.files, file);
  SYNCLINE_ASSERT_OK(watched.files.RemoveFile(file));
  watched.Look(64);
  EXPECT_THAT(watched.watcher->trouble(), HasSubstr("shard-00000"));
  EXPECT_GE(watched.watcher->refused(), 4u);
  EXPECT_LE(watched.watcher->refused(), 7u);
  EXPECT_THAT(watched.steps, ElementsAre(5));
  SYNCLINE_ASSERT_OK(WriteFileAtomically(watched.files, file, bytes));
  watched.Look(65);
  EXPECT_THAT(watched.steps, ElementsAre(5, 6));
  EXPECT_EQ(watched.watcher->trouble(), "");
}

TEST(CheckpointWatcherTest, ANewerOneIsTakenAtOnceAfterADamagedOne) {
  Watched watched;
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const std::string broken, WriteSample(watched.files, "/c", 1, 6));
  SYNCLINE_ASSERT_OK(watched.files.RemoveFile(broken + "/MANIFEST.json"));
  watched.Look(10);
  SYNCLINE_ASSERT_OK(WriteSample(watched.files, "/c", 1, 7).status());
  watched.Look();
  EXPECT_THAT(watched.steps, ElementsAre(7));
}

}  // namespace
}  // namespace syncline
