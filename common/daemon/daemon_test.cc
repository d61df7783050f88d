#include "common/daemon/daemon.h"

#include <pthread.h>
#include <signal.h>

#include "common/io/file_system.h"
#include "common/io/posix_file_system.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(DaemonTest, ThePortFileHasBothAddresses) {
  const std::string path = testing::TempDir() + "/ports";
  SYNCLINE_ASSERT_OK(WritePortFile(path, "127.0.0.1:1", "127.0.0.1:2"));
  EXPECT_THAT(ReadFile(PosixFileSystem(), path), IsOkAndHolds("127.0.0.1:1\n127.0.0.1:2\n"));
  SYNCLINE_EXPECT_OK(WritePortFile("", "a", "b"));
  EXPECT_FALSE(WritePortFile("/nowhere/ports", "a", "b").ok());
}

TEST(DaemonTest, WaitsForASignalOrTheEnd) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  raise(SIGTERM);
  EXPECT_EQ(WaitForSignal(), SIGTERM);
  EXPECT_EQ(WaitForSignal([] { return true; }), 0);
}

TEST(DaemonTest, ExitCodes) {
  EXPECT_EQ(ExitCode(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCode(absl::InternalError("broken")), 1);
}

}  // namespace
}  // namespace syncline
