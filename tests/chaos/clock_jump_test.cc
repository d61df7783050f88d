// The clock that the chaos gives to daemons, and that what must not depend on it does not.

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/rpc/server_runtime.h"
#include "common/status/status_matchers.h"
#include "common/time/steady_notification.h"
#include "common/time/steady_now.h"
#include "gtest/gtest.h"
#include "proto/health.grpc.pb.h"

namespace syncline {
namespace {

const std::string& Path() {
  static const std::string path = testing::TempDir() + "/clock";
  return path;
}

void SetClock(absl::Duration off) {
  const int64_t ns = absl::ToInt64Nanoseconds(off);
  const int file = open(Path().c_str(), O_WRONLY | O_CREAT, 0644);
  if (pwrite(file, &ns, sizeof(ns), 0) != static_cast<ssize_t>(sizeof(ns))) abort();
  close(file);
}

// The file is mapped at the first question for the time, which is before any test.
const bool ready = [] {
  SetClock(absl::ZeroDuration());
  return setenv("SYNCLINE_CHAOS_CLOCK", Path().c_str(), 1) == 0;
}();

TEST(ClockJumpTest, TheClockOfTheWallJumps) {
  ASSERT_TRUE(ready);
  const absl::Time before = absl::Now();
  const absl::Time steady = SteadyNow();
  SetClock(absl::Hours(1));
  EXPECT_GT(absl::Now() - before, absl::Minutes(59));
  EXPECT_LT(SteadyNow() - steady, absl::Minutes(1));
  SetClock(absl::ZeroDuration());
  EXPECT_LT(absl::Now() - before, absl::Minutes(1));
}

// A shard whose clock was set back by a minute was silent for as long, and lost.
TEST(ClockJumpTest, AHeartbeatsWaitTakesNoLongerThen) {
  SteadyNotification closing;
  const absl::Time steady = SteadyNow();
  std::thread jump([] {
    absl::SleepFor(absl::Milliseconds(50));
    SetClock(-absl::Hours(1));
  });
  EXPECT_FALSE(closing.WaitForNotificationWithTimeout(absl::Milliseconds(300)));
  jump.join();
  EXPECT_LT(SteadyNow() - steady, absl::Minutes(1));
}

// Those of a shard whose clock was set forward were all over as they began, for two seconds, and it was lost.
TEST(ClockJumpTest, CallsHaveAsLongAsBefore) {
  const auto server = ServerRuntime::Start({}, {});
  SYNCLINE_ASSERT_OK(server);
  (*server)->SetServing(true);
  using grpc::health::v1::Health;
  const auto stub = Health::NewStub(*MakeChannel((*server)->address(), {}));
  const auto check = [&] {
    return Call<grpc::health::v1::HealthCheckResponse>(*stub, &Health::Stub::Check, grpc::health::v1::HealthCheckRequest(), absl::Seconds(5)).status();
  };
  // A process that has asked for the time for a while is told what it must be by now.
  for (int i = 0; i < 150; ++i) {
    absl::Now();
    absl::SleepFor(absl::Milliseconds(20));
  }
  SYNCLINE_EXPECT_OK(check());
  for (const absl::Duration off : {absl::Hours(1), -absl::Hours(1)}) {
    SetClock(off);
    for (int i = 0; i < 20; ++i) {
      SYNCLINE_EXPECT_OK(check());
      absl::SleepFor(absl::Milliseconds(20));
    }
  }
}

}  // namespace
}  // namespace syncline
