// Changes of the map that shards know nothing of, or do not answer.

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "common/cluster/shard_map.h"
#include "common/config/manifest.h"
#include "common/status/status_matchers.h"
#include "common/time/steady_notification.h"
#include "gtest/gtest.h"
#include "server/coordinator/coordinator.h"

namespace syncline {
namespace {

// What shards know of the change.
struct Shards {
  absl::Mutex mu;
  std::map<std::string, bool> prepared ABSL_GUARDED_BY(mu);
  SteadyNotification finished;
  // Of the shard "frozen", which answers nothing.
  SteadyNotification asked, given_up;
};

class FakeShard final : public ShardLink {
 public:
  FakeShard(std::string address, Shards* shards) : address_(std::move(address)), shards_(shards) {}

  absl::StatusOr<ChangeMapReply> ChangeMap(const ChangeMapRequest& request) override {
    absl::MutexLock lock(&shards_->mu);
    bool& prepared = shards_->prepared[address_];
    if (request.phase() == ChangeMapRequest::PREPARE) prepared = true;
    if (request.phase() == ChangeMapRequest::CONFIRM && !prepared) {
      return absl::FailedPreconditionError("this shard knows of no such change");
    }
    if (request.phase() == ChangeMapRequest::FINISH && !shards_->finished.HasBeenNotified()) shards_->finished.Notify();
    ChangeMapReply reply;
    reply.set_accepted(true);
    return reply;
  }
  absl::StatusOr<ConfigureReply> Configure(const ConfigureRequest&) override {
    if (address_ != "frozen") return ConfigureReply();
    shards_->asked.Notify();
    shards_->given_up.WaitForNotificationWithTimeout(absl::Seconds(20));
    return absl::UnavailableError("no answer");
  }
  absl::StatusOr<UpdateMemberReply> UpdateMember(const UpdateMemberRequest&) override { return UpdateMemberReply(); }
  absl::StatusOr<StopAtReply> StopAt(uint64_t) override { return StopAtReply(); }
  absl::StatusOr<WriteCheckpointReply> WriteCheckpoint(const WriteCheckpointRequest&) override {
    return absl::UnimplementedError("no checkpoints here");
  }
  absl::StatusOr<ShardStatusReply> Status() override { return ShardStatusReply(); }
  absl::Status EndJob() override { return absl::OkStatus(); }
  void GiveUp() override {
    if (address_ == "frozen") shards_->given_up.Notify();
  }

 private:
  const std::string address_;
  Shards* const shards_;
};

// Shards "a" and "b" train a job, as the log says.
class PendingChangeTest : public testing::Test {
 protected:
  void SetUp() override;

  CoordinatorCore::Options options_;
  ShardMap map_;
  Shards shards_;
};

void PendingChangeTest::SetUp() {
  JobManifest job;
  job.set_name("test");
  job.mutable_model()->set_input(3);
  job.mutable_model()->add_layers()->mutable_linear()->set_units(1);
  job.mutable_model()->set_loss(MEAN_SQUARED_ERROR);
  job.mutable_data()->set_format(RANDOM_LINEAR);
  job.mutable_data()->set_samples(1000);
  job.set_sync_mode(ASYNC);
  job.set_shards(2);
  SYNCLINE_ASSERT_OK(CompleteManifest(&job));
  job.mutable_checkpoint()->clear_directory();

  TensorSpec tensor;
  tensor.set_name("w");
  tensor.add_shape(3);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(map_, MakeShardMap({tensor}, {"a", "b"}, 4096, false));
  options_.job = job;
  MetadataRecord started, registered, placed;
  *started.mutable_started()->mutable_job() = job;
  for (const char* address : {"a", "b"}) registered.mutable_shards()->add_shards()->set_address(address);
  *placed.mutable_map()->mutable_map() = map_;
  options_.records = {started, registered, placed};
  options_.connect = [this](const std::string& address) { return std::make_unique<FakeShard>(address, &shards_); };
  options_.member_lease = absl::Seconds(60);
}

// The coordinator before could not keep it after all, took it back, and it is in the log all the same. Confirming what no
// shard knows of never ended, and meanwhile nobody could join.
TEST_F(PendingChangeTest, OneThatShardsKnowNothingOfIsPreparedAnew) {
  MetadataRecord change;
  *change.mutable_change()->mutable_map() = map_;
  change.mutable_change()->mutable_map()->set_epoch(map_.epoch() + 1);
  change.mutable_change()->mutable_map()->set_owner(0, 1 - map_.owner(0));
  options_.records.push_back(change);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto core, CoordinatorCore::Create(std::move(options_)));
  EXPECT_TRUE(shards_.finished.WaitForNotificationWithTimeout(absl::Seconds(20)));
  SYNCLINE_EXPECT_OK(core->JoinWorker(JoinWorkerRequest()).status());
}

// It died as it joined. Until it had been asked in vain for long enough no worker could join, nor be given up.
TEST_F(PendingChangeTest, AShardThatGoesSilentBeforeItHasJoinedIsNotWaitedFor) {
  absl::Mutex mu;
  absl::Time now = absl::FromUnixSeconds(1000);
  options_.now = [&] {
    absl::MutexLock lock(&mu);
    return now;
  };
  options_.job.set_shards(3);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto core, CoordinatorCore::Create(std::move(options_)));
  RegisterShardRequest joiner;
  joiner.set_address("frozen");
  SYNCLINE_ASSERT_OK(core->RegisterShard(joiner).status());
  ASSERT_TRUE(shards_.asked.WaitForNotificationWithTimeout(absl::Seconds(20)));
  std::thread worker([&] { SYNCLINE_EXPECT_OK(core->JoinWorker(JoinWorkerRequest()).status()); });
  int seconds = 0;
  for (; seconds < 200 && !shards_.given_up.HasBeenNotified(); ++seconds) {
    {
      absl::MutexLock lock(&mu);
      now += absl::Seconds(1);
    }
    for (const char* address : {"a", "b"}) {
      HeartbeatRequest beat;
      beat.set_shard(address);
      SYNCLINE_ASSERT_OK(core->Heartbeat(beat).status());
    }
    core->Tick();
  }
  EXPECT_EQ(seconds, 62) << "a lease, from the first tick";
  worker.join();
}

}  // namespace
}  // namespace syncline
