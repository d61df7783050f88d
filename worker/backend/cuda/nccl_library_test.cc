#include "worker/backend/cuda/nccl_library.h"

#include <cstdlib>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Fake(const std::string& kind) {
  return std::string(std::getenv("TEST_SRCDIR")) + "/syncline/worker/backend/cuda/libfake_nccl_" + kind + ".so";
}

std::string ErrorOf(const std::string& path) {
  NcclLibrary library = {};
  std::string error;
  EXPECT_FALSE(LoadNccl(path, &library, &error)) << path;
  EXPECT_THAT(error, HasSubstr("SYNCLINE_NCCL")) << "says what to do";
  return error;
}

TEST(NcclLibraryTest, IsLoadedAndCalled) {
  NcclLibrary library = {};
  std::string error;
  ASSERT_TRUE(LoadNccl(Fake("whole"), &library, &error)) << error;
  EXPECT_EQ(library.Name(), "NCCL 2.18.3");
  NcclUniqueId id = {};
  EXPECT_EQ(library.get_unique_id(&id), kNcclSuccess);
  NcclComm comm = nullptr;
  NcclConfig config = {sizeof(NcclConfig), kNcclConfigMagic, kNcclMinimum, 0};
  EXPECT_EQ(library.comm_init_rank_config(&comm, 3, id, 2, &config), kNcclInProgress);
  int state = 0;
  EXPECT_EQ(library.comm_get_async_error(comm, &state), kNcclSuccess);
  EXPECT_EQ(state, kNcclInProgress);
  const int failed = library.reduce(nullptr, nullptr, 1, kNcclFloat32, kNcclSum, 0, comm, nullptr);
  EXPECT_EQ(library.Explain(failed), "remote process exited: connection closed by peer");
}

TEST(NcclLibraryTest, OneThatIsNotThereIsNamed) {
  EXPECT_THAT(ErrorOf("libnccl_of_nobody.so.2"),
              AllOf(HasSubstr("libnccl_of_nobody.so.2"), HasSubstr("No such file")));
}

TEST(NcclLibraryTest, OneThatIsTooOldSaysSo) {
  EXPECT_THAT(ErrorOf(Fake("old")), AllOf(HasSubstr("NCCL 2.13.4"), HasSubstr("2.14"), Not(HasSubstr("has no"))));
}

TEST(NcclLibraryTest, AFunctionThatIsMissingIsNamed) {
  EXPECT_THAT(ErrorOf(Fake("lacking")), HasSubstr("has no ncclBroadcast()"));
}

TEST(NcclLibraryTest, TheEnvironmentNamesAnotherOne) {
  ASSERT_EQ(setenv("SYNCLINE_NCCL", Fake("whole").c_str(), 1), 0);
  std::string error;
  const NcclLibrary* library = Nccl(&error);
  ASSERT_NE(library, nullptr) << error;
  EXPECT_EQ(library->Name(), "NCCL 2.18.3");
  EXPECT_EQ(Nccl(&error), library) << "loaded once";
}

// Where the toolkit is, the real one says its version and what its codes mean, without a GPU.
TEST(NcclLibraryTest, TheRealOneIsUnderstood) {
  NcclLibrary library = {};
  std::string error;
  if (!LoadNccl("libnccl.so.2", &library, &error) && !LoadNccl("/usr/local/cuda/lib64/libnccl.so.2", &library, &error)) {
    GTEST_SKIP() << "SKIPPED: " << error;
  }
  EXPECT_GE(library.version, kNcclMinimum);
  EXPECT_THAT(library.get_error_string(kNcclInProgress), HasSubstr("in progress"));
  EXPECT_THAT(library.get_error_string(6), HasSubstr("remote process"));
}

}  // namespace
}  // namespace syncline
