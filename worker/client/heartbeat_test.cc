#include "worker/client/heartbeat.h"

#include "absl/synchronization/notification.h"
#include "common/rpc/channel.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(HeartbeatTest, AMembershipThatIsGivenUpIsOverThoughNobodyAnswers) {
  const auto channel = MakeChannel("127.0.0.1:1", {});
  ASSERT_TRUE(channel.ok());
  const auto nobody = Coordinator::NewStub(*channel);
  absl::Notification given_up;
  Heartbeat heartbeat(nobody.get(), 0, 1, absl::Milliseconds(1), {[&] { given_up.Notify(); }, [](uint64_t) {}});
  EXPECT_FALSE(heartbeat.expelled());
  heartbeat.GiveUp();
  given_up.WaitForNotification();
  EXPECT_TRUE(heartbeat.expelled());
}

}  // namespace
}  // namespace syncline
