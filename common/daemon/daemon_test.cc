#include "common/daemon/daemon.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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

TEST(DaemonTest, TheServiceManagerHears) {
  const int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // An abstract name that the kernel chooses.
  ASSERT_EQ(bind(manager, reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)), 0);
  socklen_t size = sizeof(address);
  ASSERT_EQ(getsockname(manager, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const size_t length = size - offsetof(sockaddr_un, sun_path);
  const std::string name = "@" + std::string(address.sun_path + 1, length - 1);
  setenv("NOTIFY_SOCKET", name.c_str(), 1);
  raise(SIGTERM);
  EXPECT_EQ(WaitForSignal(), SIGTERM);
  setenv("NOTIFY_SOCKET", "", 1);
  NotifyManager("nobody hears this");
  char text[64];
  EXPECT_EQ(std::string(text, recv(manager, text, sizeof(text), MSG_DONTWAIT)), "READY=1");
  EXPECT_EQ(std::string(text, recv(manager, text, sizeof(text), MSG_DONTWAIT)), "STOPPING=1");
  EXPECT_LT(recv(manager, text, sizeof(text), MSG_DONTWAIT), 0);
  close(manager);
}

TEST(DaemonTest, ExitCodes) {
  EXPECT_EQ(ExitCode(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCode(absl::InternalError("broken")), 1);
}

}  // namespace
}  // namespace syncline
