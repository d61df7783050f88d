#include "common/io/posix_file_system.h"

#include <cstdlib>

#include "common/status/status_matchers.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PosixFileSystemTest : public testing::Test {
 protected:
  void SetUp() override {
    const testing::TestInfo& info = *testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::string(std::getenv("TEST_TMPDIR")) + "/" + info.name();
    SYNCLINE_ASSERT_OK(files_.RemoveFolder(folder_));
    SYNCLINE_ASSERT_OK(files_.CreateFolder(folder_));
  }

  FileSystem& files_ = PosixFileSystem();
  std::string folder_;
};

TEST_F(PosixFileSystemTest, WritesAndReads) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(auto file, files_.Create(folder_ + "/a"));
  SYNCLINE_EXPECT_OK(file->Append("hello "));
  SYNCLINE_EXPECT_OK(file->Append("there"));
  SYNCLINE_EXPECT_OK(file->Sync());
  SYNCLINE_EXPECT_OK(file->Close());
  EXPECT_THAT(ReadFile(files_, folder_ + "/a"), IsOkAndHolds("hello there"));

  SYNCLINE_ASSERT_OK_AND_ASSIGN(auto readable, files_.Open(folder_ + "/a"));
  char part[5];
  SYNCLINE_EXPECT_OK(readable->Read(6, 5, part));
  EXPECT_EQ(std::string(part, 5), "there");
  EXPECT_THAT(readable->Read(8, 5, part), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(PosixFileSystemTest, WritesAtomically) {
  SYNCLINE_ASSERT_OK(WriteFileAtomically(files_, folder_ + "/a", "one"));
  SYNCLINE_ASSERT_OK(WriteFileAtomically(files_, folder_ + "/a", "two"));
  EXPECT_THAT(ReadFile(files_, folder_ + "/a"), IsOkAndHolds("two"));
  EXPECT_THAT(files_.List(folder_), IsOkAndHolds(ElementsAre("a")));
}

TEST_F(PosixFileSystemTest, ListsAndRemoves) {
  SYNCLINE_ASSERT_OK(files_.CreateFolder(folder_ + "/x/y"));
  SYNCLINE_ASSERT_OK(WriteFileAtomically(files_, folder_ + "/b", ""));
  EXPECT_THAT(files_.List(folder_), IsOkAndHolds(ElementsAre("b", "x")));
  SYNCLINE_EXPECT_OK(files_.RemoveFolder(folder_ + "/x"));
  SYNCLINE_EXPECT_OK(files_.RemoveFolder(folder_ + "/x"));
  SYNCLINE_EXPECT_OK(files_.RemoveFile(folder_ + "/b"));
  EXPECT_FALSE(files_.Exists(folder_ + "/b"));
}

TEST_F(PosixFileSystemTest, ALinkOutlivesTheFirstName) {
  SYNCLINE_ASSERT_OK(WriteFileAtomically(files_, folder_ + "/a", "one"));
  SYNCLINE_ASSERT_OK(files_.CreateFolder(folder_ + "/x"));
  SYNCLINE_ASSERT_OK(files_.Link(folder_ + "/a", folder_ + "/x/b"));
  EXPECT_THAT(files_.Link(folder_ + "/a", folder_ + "/x/b"), StatusIs(absl::StatusCode::kAlreadyExists));
  SYNCLINE_ASSERT_OK(files_.RemoveFile(folder_ + "/a"));
  EXPECT_THAT(ReadFile(files_, folder_ + "/x/b"), IsOkAndHolds("one"));
  EXPECT_THAT(files_.Link(folder_ + "/a", folder_ + "/c"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("/a to ")));
}

TEST_F(PosixFileSystemTest, ErrorsNameThePath) {
  EXPECT_THAT(files_.Open(folder_ + "/none"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/none")));
  EXPECT_THAT(files_.Create(folder_ + "/no/file"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/no/file")));
  EXPECT_THAT(files_.Open(folder_), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(files_.RemoveFile(folder_ + "/none"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(PosixFileSystemTest, FullDisksAreResourceExhausted) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(auto file, files_.Create("/dev/full"));
  EXPECT_THAT(file->Append("x"),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("can't write /dev/full")));
}

TEST(ParentFolderTest, Literal) {
  EXPECT_EQ(ParentFolder("/a/b"), "/a");
  EXPECT_EQ(ParentFolder("/a"), "/");
  EXPECT_EQ(ParentFolder("a"), ".");
}

}  // namespace
}  // namespace syncline
