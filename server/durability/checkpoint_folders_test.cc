#include "server/durability/checkpoint_folders.h"

#include "common/io/fault_file_system.h"
#include "common/status/status_matchers.h"
#include "server/durability/checkpoint_names.h"
#include "server/durability/checkpoint_reader.h"
#include "server/durability/checkpoint_samples.h"

namespace syncline {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kDirectory[] = "/job/checkpoints";

absl::Status ReadSample(FileSystem& files, const std::string& folder) {
  return VerifyCheckpoint(files, folder).status();
}

TEST(CheckpointFoldersTest, ACommittedCheckpointSurvivesACrash) {
  FaultFileSystem files;
  EXPECT_THAT(WriteSample(files, kDirectory, 2, 42),
              IsOkAndHolds("/job/checkpoints/step-0000000042"));
  files.Crash();
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const std::string latest, LatestCheckpoint(files, kDirectory));
  SYNCLINE_EXPECT_OK(ReadSample(files, latest));
}

// Whatever change is the last one before the power fails, the latest checkpoint is whole: the older
// until the newer has its name, and then the newer. `step` may be the older's own.
void CrashAtEveryChange(uint64_t step) {
  bool written = false;
  for (uint64_t n = 1; !written; ++n) {
    SCOPED_TRACE(testing::Message() << "power failure at change " << n);
    FaultFileSystem files;
    SYNCLINE_ASSERT_OK(WriteSample(files, kDirectory, 2, 10).status());
    const uint64_t before = files.changes();
    files.FailAt(n, absl::InternalError("power failure"));
    WriteSample(files, kDirectory, 2, step, 1).status().IgnoreError();
    written = files.changes() - before < n;
    SYNCLINE_EXPECT_OK(LatestCheckpoint(files, kDirectory));
    files.Crash();
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const std::string latest, LatestCheckpoint(files, kDirectory));
    SYNCLINE_EXPECT_OK(ReadSample(files, latest));
    if (written) {
      EXPECT_EQ(latest, CheckpointFolder(kDirectory, step));
    }
    // What is left of it is not in the way of the next attempt.
    SYNCLINE_EXPECT_OK(WriteSample(files, kDirectory, 2, step, 1).status());
    EXPECT_THAT(files.List(kDirectory), IsOkAndHolds(ElementsAre(CheckpointName(step))));
  }
}

TEST(CheckpointFoldersTest, ACrashAtAnyChangeLeavesAWholeCheckpoint) { CrashAtEveryChange(20); }
TEST(CheckpointFoldersTest, ACrashWhileReplacingTheSameStepLeavesAWholeCheckpoint) {
  CrashAtEveryChange(10);
}

TEST(CheckpointFoldersTest, AFullDiskAtAnyWriteLeavesNoCheckpointAndNamesTheFile) {
  FaultFileSystem plenty;
  SYNCLINE_ASSERT_OK(WriteSample(plenty, kDirectory, 2, 20).status());
  uint64_t needed = 0;
  for (const char* name : {"shard-00000.safetensors", "shard-00001.safetensors", "MANIFEST.json",
                           "MANIFEST.crc32c"}) {
    needed += ReadFile(plenty, CheckpointFolder(kDirectory, 20) + "/" + name)->size();
  }
  for (uint64_t capacity = 0; capacity < needed; capacity += 97) {
    FaultFileSystem files;
    files.SetCapacity(capacity);
    EXPECT_THAT(WriteSample(files, kDirectory, 2, 20),
                StatusIs(absl::StatusCode::kResourceExhausted,
                         AnyOf(HasSubstr("step-0000000020.partial/shard-0000"),
                               HasSubstr("step-0000000020.partial/MANIFEST."))))
        << capacity;
    EXPECT_THAT(LatestCheckpoint(files, kDirectory), StatusIs(absl::StatusCode::kNotFound));
  }
}

TEST(CheckpointFoldersTest, AShardRemovesWhatItCouldNotFinish) {
  FaultFileSystem files;
  SYNCLINE_ASSERT_OK(BeginCheckpoint(files, kDirectory, 5));
  files.SetCapacity(1000);
  const std::string folder = PartialCheckpointFolder(kDirectory, 5);
  const ShardMap map = SampleMap(1);
  EXPECT_THAT(WriteSampleShard(files, folder, map, 0),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("shard-00000")));
  EXPECT_THAT(files.List(folder), IsOkAndHolds(ElementsAre()));
}

TEST(CheckpointFoldersTest, AShardThatSeesNoFolderSaysWhy) {
  FaultFileSystem files;
  const ShardMap map = SampleMap(1);
  EXPECT_THAT(WriteSampleShard(files, "/elsewhere", map, 0),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("shared file system")));
}

TEST(CheckpointFoldersTest, KeepsTheNewestUpToItsOwnStep) {
  FaultFileSystem files;
  for (uint64_t step : {900, 1, 2, 3, 4}) {
    SYNCLINE_ASSERT_OK(WriteSample(files, kDirectory, 1, step, 2).status());
  }
  // 900 is of another run.
  EXPECT_THAT(files.List(kDirectory),
              IsOkAndHolds(ElementsAre("step-0000000003", "step-0000000004", "step-0000000900")));
}

}  // namespace
}  // namespace syncline
