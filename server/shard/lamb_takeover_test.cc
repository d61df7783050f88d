// LAMB: a tensor of two chunks on one shard, and a copy of only one of them has come when that is lost. Its norms are
// over both.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "server/shard/shard.h"

namespace syncline {
namespace {

class LambTakeoverTest : public testing::Test {
 protected:
  static constexpr size_t kChunk = 1024;

  static ShardMap MapOf(bool lost) {
    ShardMap map;
    map.set_epoch(lost ? 2 : 1);
    map.set_chunk_bytes(kChunk * sizeof(float));
    map.set_replicas(2);
    TensorSpec* const tensor = map.add_tensors();
    tensor->set_name("w");
    tensor->add_shape(2 * kChunk);
    tensor->mutable_initializer()->set_kind(Initializer::UNIFORM);
    tensor->mutable_initializer()->set_b(1);
    if (!lost) map.add_shards("a:1");
    map.add_shards("b:1");
    for (int i = 0; i < 2; ++i) {
      map.add_owner(0);
      map.add_backup(lost ? 0 : 1);
    }
    if (lost) map.add_lost("a:1");
    return map;
  }
  std::unique_ptr<Shard> Start(uint32_t number) {
    ShardOptions options;
    options.job.set_sync_mode(SYNC);
    Optimizer* const optimizer = options.job.mutable_optimizer();
    optimizer->set_kind(LAMB);
    optimizer->set_learning_rate(0.1f);
    optimizer->set_beta1(0.9f);
    optimizer->set_beta2(0.99f);
    optimizer->set_epsilon(1e-6f);
    options.map = MapOf(false);
    options.shard = number;
    options.replicate = [this](const std::string&, uint64_t, std::vector<ChunkSnapshot> chunks, auto) {
      copies_ = std::move(chunks);
    };
    auto shard = *Shard::Create(std::move(options));
    UpdateMemberRequest admit;
    admit.set_incarnation(1);
    SYNCLINE_EXPECT_OK(shard->UpdateMember(admit).status());
    return shard;
  }
  static Sender Worker(uint64_t epoch) {
    Sender sender;
    sender.set_incarnation(1);
    sender.set_map_epoch(epoch);
    return sender;
  }
  void MakeStep(Shard* shard, uint64_t epoch) {
    for (const uint32_t chunk : {0u, 1u}) {
      const auto values = std::make_shared<std::vector<float>>(kChunk, 1.0f + static_cast<float>(chunk));
      SYNCLINE_EXPECT_OK(
          shard->Push(Worker(epoch), 0, {{chunk, 0, Fragments::Of(values->data(), 4 * kChunk, values)}}).status());
    }
    SYNCLINE_EXPECT_OK(shard->Commit(Worker(epoch), 0, 1, {0}).status());
  }
  static std::vector<float> Weights(const ChunkSnapshot& chunk) {
    std::vector<float> floats(kChunk);
    FloatReader(chunk.weights).Copy(4 * kChunk, reinterpret_cast<char*>(floats.data()));
    return floats;
  }

  std::vector<ChunkSnapshot> copies_;  // that were sent last
};

TEST_F(LambTakeoverTest, WhatIsMissingOfAStepIsMadeAsTheLostShardMadeIt) {
  const auto lost = Start(0), heir = Start(1);
  MakeStep(lost.get(), 1);
  const std::vector<ChunkSnapshot> made = copies_;
  ASSERT_EQ(made.size(), 2u);
  SYNCLINE_ASSERT_OK(heir->Keep(1, {made[0]}).status());
  ChangeMapRequest request;
  request.set_phase(ChangeMapRequest::TAKE_OVER);
  *request.mutable_next()->mutable_map() = MapOf(true);
  SYNCLINE_ASSERT_OK(heir->ChangeMap(request).status());
  MakeStep(heir.get(), 2);
  std::vector<ChunkSnapshot> now;
  heir->SnapshotAt(1, [&](auto snapshot) { now = snapshot->chunks; });
  ASSERT_EQ(now.size(), 2u);
  for (const size_t i : {0, 1}) EXPECT_EQ(Weights(now[i]), Weights(made[i])) << "chunk " << i;
}

}  // namespace
}  // namespace syncline
