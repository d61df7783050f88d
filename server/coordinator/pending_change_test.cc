// A coordinator that finds a change of the map in the log, decided on by the one before.

#include <map>
#include <memory>
#include <string>
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
  absl::StatusOr<ConfigureReply> Configure(const ConfigureRequest&) override { return ConfigureReply(); }
  absl::StatusOr<UpdateMemberReply> UpdateMember(const UpdateMemberRequest&) override { return UpdateMemberReply(); }
  absl::StatusOr<StopAtReply> StopAt(uint64_t) override { return StopAtReply(); }
  absl::StatusOr<WriteCheckpointReply> WriteCheckpoint(const WriteCheckpointRequest&) override {
    return absl::UnimplementedError("no checkpoints here");
  }
  absl::StatusOr<ShardStatusReply> Status() override { return ShardStatusReply(); }
  absl::Status EndJob() override { return absl::OkStatus(); }
  void GiveUp() override {}

 private:
  const std::string address_;
  Shards* const shards_;
};

// The one before could not keep it after all, took it back, and it is in the log all the same. Confirming what no shard
// knows of never ended, and meanwhile nobody could join.
TEST(PendingChangeTest, OneThatShardsKnowNothingOfIsPreparedAnew) {
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
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const ShardMap map, MakeShardMap({tensor}, {"a", "b"}, 4096, false));
  CoordinatorCore::Options options;
  options.job = job;
  MetadataRecord started, registered, placed, change;
  *started.mutable_started()->mutable_job() = job;
  for (const char* address : {"a", "b"}) registered.mutable_shards()->add_shards()->set_address(address);
  *placed.mutable_map()->mutable_map() = map;
  *change.mutable_change()->mutable_map() = map;
  change.mutable_change()->mutable_map()->set_epoch(map.epoch() + 1);
  change.mutable_change()->mutable_map()->set_owner(0, 1 - map.owner(0));
  options.records = {started, registered, placed, change};
  Shards shards;
  options.connect = [&](const std::string& address) { return std::make_unique<FakeShard>(address, &shards); };
  options.member_lease = absl::Seconds(60);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto core, CoordinatorCore::Create(std::move(options)));
  EXPECT_TRUE(shards.finished.WaitForNotificationWithTimeout(absl::Seconds(20)));
  SYNCLINE_EXPECT_OK(core->JoinWorker(JoinWorkerRequest()).status());
}

}  // namespace
}  // namespace syncline
