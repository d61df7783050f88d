#include "common/daemon/daemon.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/io/file_system.h"
#include "common/io/posix_file_system.h"
#include "common/obs/logging.h"
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

void BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

TEST(DaemonTest, WaitsForASignalOrTheEnd) {
  BlockStopSignals();
  raise(SIGTERM);
  EXPECT_EQ(WaitForSignal(""), SIGTERM);
  EXPECT_EQ(WaitForSignal("", [] { return true; }), 0);
}

// A daemon that hears a signal, again after each of `pauses`, and would leave in good order after three seconds.
void LeaveSlowly(const std::vector<absl::Duration>& pauses) {
  SYNCLINE_EXPECT_OK(ConfigureLogging("daemon", "text", "info"));
  BlockStopSignals();
  raise(SIGTERM);
  WaitForSignal("Weights are lost.");
  for (const absl::Duration pause : pauses) {
    absl::SleepFor(pause);
    kill(getpid(), SIGINT);
  }
  absl::SleepFor(absl::Seconds(3));
  _exit(0);
}

TEST(DaemonDeathTest, ASecondSignalEndsItAtOnce) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(LeaveSlowly({absl::Milliseconds(1500)}), testing::ExitedWithCode(1),
              "critical: Interrupt again: ending at once. Weights are lost.");
}

TEST(DaemonDeathTest, OneWishMayComeAsSeveralSignals) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(LeaveSlowly({absl::ZeroDuration(), absl::Milliseconds(200)}), testing::ExitedWithCode(0), "");
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
  EXPECT_EQ(WaitForSignal(""), SIGTERM);
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
