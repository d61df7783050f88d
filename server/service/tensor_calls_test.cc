#include "server/service/tensor_calls.h"

#include "common/status/status_matchers.h"
#include "common/wire/chunk_message.h"
#include "common/wire/message.h"
#include "common/wire/protocol_version.h"
#include "server/durability/checkpoint_samples.h"
#include "server/service/shard_host.h"

namespace syncline {
namespace {

// Of chunk 0, by an observer that holds version 0 of that life.
absl::StatusOr<DecodedPullReply> PullHeld(TensorCalls& calls, uint64_t life) {
  PullRequest pull;
  pull.mutable_sender()->set_protocol(kProtocolVersion);
  pull.mutable_sender()->set_incarnation(1);
  pull.set_observer(true);
  pull.add_chunks(0);
  pull.add_held(1);
  pull.set_life(life);
  absl::StatusOr<grpc::ByteBuffer> reply = absl::UnknownError("not answered");
  calls.Pull(EncodeMessage(pull), nullptr, [&](absl::StatusOr<grpc::ByteBuffer> got) { reply = std::move(got); });
  if (!reply.ok()) return reply.status();
  return DecodePullReply(*reply);
}

TEST(TensorCallsTest, WhatAShardsForerunnerGaveIsNotHeld) {
  uint64_t lives = 0;
  ShardHost host([&](const ConfigureRequest& request) {
    ShardOptions options;
    options.job = request.job();
    options.map = request.map();
    options.life = ++lives;
    return Shard::Create(std::move(options));
  });
  TensorCalls calls(&host, {});
  ConfigureRequest request;
  request.mutable_job()->set_sync_mode(ASYNC);
  request.mutable_job()->mutable_optimizer()->set_kind(SGD);
  request.mutable_job()->mutable_optimizer()->set_learning_rate(1);
  *request.mutable_map() = SampleMap(1);
  SYNCLINE_ASSERT_OK(host.Configure(request).status());
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const DecodedPullReply held, PullHeld(calls, 1));
  EXPECT_EQ(held.head.life(), 1u);
  ASSERT_EQ(held.chunks.size(), 1u);
  EXPECT_TRUE(held.chunks[0].unchanged);

  // The same process, after another shard took this one's place meanwhile.
  request.set_attempt(2);
  SYNCLINE_ASSERT_OK(host.Configure(request).status());
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const DecodedPullReply anew, PullHeld(calls, 1));
  EXPECT_EQ(anew.head.life(), 2u);
  ASSERT_EQ(anew.chunks.size(), 1u);
  EXPECT_FALSE(anew.chunks[0].unchanged);
  EXPECT_EQ(anew.chunks[0].data.size(), 4096u);
}

}  // namespace
}  // namespace syncline
