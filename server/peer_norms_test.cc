#include "server/peer_norms.h"

#include <atomic>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/rpc/server_runtime.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "server/shard/shard.h"

namespace syncline {
namespace {

// Another shard, which gets chunk 1 when it hears that its owner is lost, after the first question.
class FakePeer : public ParameterServer::Service {
 public:
  grpc::Status StepNorms(grpc::ServerContext*, const StepNormsRequest*, StepNormsReply* reply) override {
    if (calls++ == 0) return grpc::Status::OK;
    reply->add_chunks(1);
    reply->add_squared_norms(9);
    return grpc::Status::OK;
  }

  std::atomic<int> calls{0};
};

ShardMap MapOf(const std::string& peer) {
  ShardMap map;
  map.set_epoch(1);
  map.set_chunk_bytes(4096);
  for (const uint32_t owner : {0u, 1u}) {
    TensorSpec* const tensor = map.add_tensors();
    tensor->set_name(absl::StrCat("w", owner));
    tensor->add_shape(1);
    map.add_owner(owner);
  }
  map.add_shards("here:1");
  map.add_shards(peer);
  return map;
}

TEST(PeerNormsTest, AsksAgainWhileAPeerHasYetToHearOfItsChunks) {
  FakePeer peer;
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto server, ServerRuntime::Start({}, {&peer}));
  auto norms = std::make_unique<PeerNorms>(SecurityOptions());
  ShardOptions options;
  options.job.set_sync_mode(SYNC);
  options.job.mutable_optimizer()->set_learning_rate(1);
  options.job.mutable_optimizer()->set_clip_norm(1);
  options.map = MapOf(server->address());
  MapVersion version;
  *version.mutable_map() = options.map;
  norms->SetMap(version, 0);
  options.norms_wanted = [to = norms.get()](uint64_t step) { to->Want(step); };
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto shard, Shard::Create(std::move(options)));
  norms->SetShard(shard.get());

  UpdateMemberRequest admit;
  admit.set_incarnation(1);
  SYNCLINE_ASSERT_OK(shard->UpdateMember(admit).status());
  Sender worker;
  worker.set_incarnation(1);
  worker.set_map_epoch(1);
  const auto gradient = std::make_shared<float>(-4.0f);
  SYNCLINE_ASSERT_OK(shard->Push(worker, 0, {{0, 0, Fragments::Of(gradient.get(), 4, gradient)}}).status());
  SYNCLINE_ASSERT_OK(shard->Commit(worker, 0, 1, {0}).status());
  absl::Notification made;
  shard->Pull(worker, {1, {0}, false, {}}, [&](const auto&) { made.Notify(); });
  EXPECT_TRUE(made.WaitForNotificationWithTimeout(absl::Seconds(20))) << "the step waits for a norm";
  EXPECT_EQ(peer.calls, 2);
  norms.reset();  // before the shard it works for
}

}  // namespace
}  // namespace syncline
