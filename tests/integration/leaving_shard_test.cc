// A shard is about to leave, and the connections to it break: what belongs to the steps before is still its matter.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "common/status/status_matchers.h"
#include "common/time/steady_notification.h"
#include "gtest/gtest.h"
#include "server/shard_server.h"
#include "tests/integration/in_process_cluster.h"
#include "tests/integration/tcp_relay.h"
#include "worker/client/client.h"

namespace syncline {
namespace {

constexpr size_t kSize = 3000;  // elements of the tensor: three chunks of the small job

// A worker whose steps the test makes.
class Worker {
 public:
  explicit Worker(const InProcessCluster& cluster) {
    ClientOptions options;
    options.coordinator = cluster.coordinator();
    client_ = *Client::Connect(options);
  }
  void Begin() {
    TensorSpec tensor;
    tensor.set_name("a");
    tensor.add_shape(kSize);
    SYNCLINE_ASSERT_OK(client_->CreateTensors({tensor}));
  }
  void Lease() { SYNCLINE_ASSERT_OK(client_->Lease(100, 0, 0).status()); }

  // What comes of a call; it has ended when this is set.
  struct Result {
    SteadyNotification ended;
    absl::Status status;

    absl::Status Await(absl::Duration patience) {
      return ended.WaitForNotificationWithTimeout(patience) ? status : absl::DeadlineExceededError("not answered");
    }
  };
  std::shared_ptr<Result> Pull(Clock clock) {
    return Begun([&](auto done) {
      client_->Pull(clock, {weights_}, [done](const auto& outcome) { done(outcome.status()); });
    });
  }
  std::shared_ptr<Result> Observe() {
    return Begun([&](auto done) { client_->Observe({weights_}, done); });
  }
  std::shared_ptr<Result> Push(Clock clock) {
    return Begun([&](auto done) { client_->Push(clock, {{0, gradient_.data()}}, done); });
  }
  std::shared_ptr<Result> Commit(Clock clock) {
    return Begun([&](auto done) {
      client_->Commit(clock, 1, {0, 1}, [done](const auto& accepted) { done(accepted.status()); });
    });
  }

 private:
  static std::shared_ptr<Result> Begun(const std::function<void(std::function<void(absl::Status)>)>& call) {
    auto result = std::make_shared<Result>();
    call([result](const absl::Status& status) {
      result->status = status;
      result->ended.Notify();
    });
    return result;
  }

  std::vector<float> values_ = std::vector<float>(kSize), gradient_ = std::vector<float>(kSize, 1);
  std::vector<float*> weights_ = {values_.data()};
  std::unique_ptr<Client> client_;
};

JobManifest Job() {
  JobManifest job = SmallJob(1, 1, 100);
  job.set_sync_mode(SYNC);
  job.set_workers(2);
  job.set_shards(2);
  job.set_shared_memory(false);
  return job;
}

TEST(LeavingShardTest, AWorkerWhosePullWaitsThereAsksItAgain) {
  constexpr absl::Duration kPatience = absl::Seconds(20);
  TcpRelay relay;
  InProcessCluster cluster(Job(), "", absl::Seconds(30), &PosixFileSystem(), false);
  cluster.StartShard();
  ShardServer::Options options;
  options.coordinator = cluster.coordinator();
  options.advertise = relay.address();
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto leaver, ShardServer::Start(options));
  int port;
  ASSERT_TRUE(absl::SimpleAtoi(leaver->address().substr(leaver->address().rfind(':') + 1), &port));
  relay.LeadTo(port);

  Worker a(cluster), b(cluster);
  a.Begin();
  b.Begin();
  a.Lease();
  b.Lease();
  cluster.Scale(1);
  // One map takes the shard's chunks away, the next one its place. That one is to hold from a step on that is not begun.
  std::shared_ptr<Worker::Result> waiting;
  Clock clock = 0;
  for (bool leaves = false; !leaves; ++clock) {
    ASSERT_LT(clock, 20u);
    if (waiting != nullptr) {
      SYNCLINE_ASSERT_OK(b.Commit(clock - 1)->Await(kPatience));
      SYNCLINE_ASSERT_OK(waiting->Await(kPatience));
    }
    for (Worker* const worker : {&a, &b}) {
      SYNCLINE_ASSERT_OK(worker->Pull(clock)->Await(kPatience));
      SYNCLINE_ASSERT_OK(worker->Push(clock)->Await(kPatience));
    }
    SYNCLINE_ASSERT_OK(a.Commit(clock)->Await(kPatience));
    waiting = a.Pull(clock + 1);
    absl::SleepFor(absl::Milliseconds(200));
    leaves = cluster.Status().map().shards_size() == 1;
  }
  // The worker hears of the next map.
  SYNCLINE_ASSERT_OK(a.Observe()->Await(kPatience));
  for (int i = 0; i < 10; ++i) {
    absl::SleepFor(absl::Milliseconds(50));
    relay.Break();
  }
  EXPECT_FALSE(waiting->ended.HasBeenNotified());
  SYNCLINE_ASSERT_OK(b.Commit(clock - 1)->Await(kPatience));
  SYNCLINE_EXPECT_OK(waiting->Await(kPatience));
}

}  // namespace
}  // namespace syncline
