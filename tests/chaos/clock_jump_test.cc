// The clock that the chaos gives to daemons, and that what must not depend on it does not.

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
#include "tests/chaos/wall_clock.h"

namespace syncline {
namespace {

TEST(ClockJumpTest, TheClockOfTheWallJumps) {
  const absl::Time before = absl::Now();
  const absl::Time steady = SteadyNow();
  SetWallClock(absl::Hours(1));
  EXPECT_GT(absl::Now() - before, absl::Minutes(59));
  EXPECT_LT(SteadyNow() - steady, absl::Minutes(1));
  SetWallClock(absl::ZeroDuration());
  EXPECT_LT(absl::Now() - before, absl::Minutes(1));
}

// A shard whose clock was set back by a minute was silent for as long, and lost.
TEST(ClockJumpTest, AHeartbeatsWaitTakesNoLongerThen) {
  SteadyNotification closing;
  const absl::Time steady = SteadyNow();
  std::thread jump([] {
    absl::SleepFor(absl::Milliseconds(50));
    SetWallClock(-absl::Hours(1));
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
    SetWallClock(off);
    for (int i = 0; i < 20; ++i) {
      SYNCLINE_EXPECT_OK(check());
      absl::SleepFor(absl::Milliseconds(20));
    }
  }
}

}  // namespace
}  // namespace syncline
