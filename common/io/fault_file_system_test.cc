#include "common/io/fault_file_system.h"

#include "common/status/status_matchers.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;

class FaultFileSystemTest : public testing::Test {
 protected:
  void SetUp() override {
    SYNCLINE_ASSERT_OK(files_.CreateFolder("/d"));
    SYNCLINE_ASSERT_OK(files_.SyncFolder("/"));
  }

  FaultFileSystem files_;
};

TEST_F(FaultFileSystemTest, WritesReadsListsAndRenames) {
  SYNCLINE_ASSERT_OK(WriteFileAtomically(files_, "/d/a", "one"));
  EXPECT_THAT(ReadFile(files_, "/d/a"), IsOkAndHolds("one"));
  SYNCLINE_ASSERT_OK(files_.CreateFolder("/d/x"));
  SYNCLINE_ASSERT_OK(WriteFileAtomically(files_, "/d/x/b", "two"));
  SYNCLINE_ASSERT_OK(files_.Rename("/d/x", "/d/y"));
  EXPECT_THAT(files_.List("/d"), IsOkAndHolds(ElementsAre("a", "y")));
  EXPECT_THAT(ReadFile(files_, "/d/y/b"), IsOkAndHolds("two"));
  SYNCLINE_ASSERT_OK(files_.RemoveFolder("/d/y"));
  EXPECT_FALSE(files_.Exists("/d/y/b"));
  EXPECT_THAT(files_.Create("/no/file"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(FaultFileSystemTest, AtomicWritesSurvive) {
  SYNCLINE_ASSERT_OK(WriteFileAtomically(files_, "/d/a", "one"));
  files_.Crash();
  EXPECT_THAT(ReadFile(files_, "/d/a"), IsOkAndHolds("one"));
}

TEST_F(FaultFileSystemTest, WhatIsNotSyncedIsLost) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(auto file, files_.Create("/d/a"));
  SYNCLINE_ASSERT_OK(file->Append("one"));
  SYNCLINE_ASSERT_OK(file->Sync());
  SYNCLINE_ASSERT_OK(files_.SyncFolder("/d"));
  SYNCLINE_ASSERT_OK(file->Append("two"));
  SYNCLINE_ASSERT_OK_AND_ASSIGN(auto unnamed, files_.Create("/d/b"));
  SYNCLINE_ASSERT_OK(unnamed->Sync());
  files_.Crash();
  EXPECT_THAT(ReadFile(files_, "/d/a"), IsOkAndHolds("one"));
  EXPECT_FALSE(files_.Exists("/d/b"));
  EXPECT_THAT(file->Append("x"), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(FaultFileSystemTest, RenamesAreLostUntilTheFolderIsSynced) {
  SYNCLINE_ASSERT_OK(WriteFileAtomically(files_, "/d/a", "one"));
  SYNCLINE_ASSERT_OK(files_.Rename("/d/a", "/d/b"));
  files_.Crash();
  EXPECT_THAT(files_.List("/d"), IsOkAndHolds(ElementsAre("a")));
}

TEST_F(FaultFileSystemTest, LinksAreLostUntilTheFolderIsSynced) {
  SYNCLINE_ASSERT_OK(WriteFileAtomically(files_, "/d/a", "one"));
  SYNCLINE_ASSERT_OK(files_.CreateFolder("/d/x"));
  SYNCLINE_ASSERT_OK(files_.SyncFolder("/d"));
  SYNCLINE_ASSERT_OK(files_.Link("/d/a", "/d/x/b"));
  EXPECT_THAT(files_.Link("/d/a", "/d/x/b"), StatusIs(absl::StatusCode::kAlreadyExists));
  files_.Crash();
  EXPECT_FALSE(files_.Exists("/d/x/b"));
  SYNCLINE_ASSERT_OK(files_.Link("/d/a", "/d/x/b"));
  SYNCLINE_ASSERT_OK(files_.SyncFolder("/d/x"));
  SYNCLINE_ASSERT_OK(files_.RemoveFile("/d/a"));
  SYNCLINE_ASSERT_OK(files_.SyncFolder("/d"));
  files_.Crash();
  EXPECT_THAT(ReadFile(files_, "/d/x/b"), IsOkAndHolds("one"));
}

// The old content or the new one, whichever operation breaks and whenever the power goes.
TEST_F(FaultFileSystemTest, AtomicWritesAreAtomic) {
  SYNCLINE_ASSERT_OK(WriteFileAtomically(files_, "/d/a", "old"));
  for (uint64_t n = 1; n <= 5; ++n) {
    files_.FailAt(n, absl::InternalError("broken"));
    EXPECT_THAT(WriteFileAtomically(files_, "/d/a", "new"), StatusIs(absl::StatusCode::kInternal));
    files_.Crash();
    EXPECT_THAT(ReadFile(files_, "/d/a"), IsOkAndHolds("old")) << n;
  }
}

TEST_F(FaultFileSystemTest, DisksFill) {
  files_.SetCapacity(4);
  EXPECT_THAT(WriteFileAtomically(files_, "/d/a", "12345"),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

}  // namespace
}  // namespace syncline
