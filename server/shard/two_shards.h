#ifndef SYNCLINE_SERVER_SHARD_TWO_SHARDS_H_
#define SYNCLINE_SERVER_SHARD_TWO_SHARDS_H_

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/shard/shard.h"

namespace syncline {

// For tests: two shards or fewer, chunks of one weight each, a worker of rank 0 unless told, learning rate 1: a push of -1
// adds 1.
class TwoShards {
 protected:
  // A map of one weight each over `addresses`, by owner.
  static ShardMap Map(uint64_t epoch, const std::vector<uint32_t>& owners,
                      const std::vector<std::string>& addresses = {"a:1", "b:1"}) {
    ShardMap map;
    map.set_epoch(epoch);
    map.set_chunk_bytes(4096);
    for (size_t i = 0; i < owners.size(); ++i) {
      TensorSpec* tensor = map.add_tensors();
      tensor->set_name("w" + std::to_string(i));
      tensor->add_shape(1);
      map.add_owner(owners[i]);
    }
    map.mutable_shards()->Assign(addresses.begin(), addresses.end());
    return map;
  }
  static Sender Worker(uint64_t epoch, Rank rank = 0, Incarnation incarnation = 1) {
    Sender sender;
    sender.set_rank(rank);
    sender.set_incarnation(incarnation);
    sender.set_map_epoch(epoch);
    return sender;
  }

  // The next one, with the worker admitted; `options` lack but its number and the learning rate.
  void StartShard(ShardOptions options) {
    options.job.mutable_optimizer()->set_learning_rate(1);
    options.shard = static_cast<uint32_t>(shards_.size());
    shards_.push_back(*Shard::Create(std::move(options)));
    Member(static_cast<int>(shards_.size()) - 1, UpdateMemberRequest::ADMIT);
  }
  void Member(int shard, UpdateMemberRequest::Action action, Rank rank = 0, Incarnation incarnation = 1) {
    UpdateMemberRequest request;
    request.set_action(action);
    request.set_rank(rank);
    request.set_incarnation(incarnation);
    SYNCLINE_EXPECT_OK(shards_[shard]->UpdateMember(request).status());
  }
  absl::Status Push(int shard, uint32_t chunk, Clock clock, uint64_t epoch) {
    return PushAs(Worker(epoch), shard, chunk, clock);
  }
  absl::Status PushAs(const Sender& sender, int shard, uint32_t chunk, Clock clock) {
    const auto value = std::make_shared<float>(-1.0f);
    return shards_[shard]->Push(sender, clock, {{chunk, 0, Fragments::Of(value.get(), 4, value)}}).status();
  }
  absl::Status Commit(int shard, Clock clock, uint64_t epoch) {
    return shards_[shard]->Commit(Worker(epoch), clock, 1, {0}).status();
  }
  // The weight, or nothing while the pull waits.
  std::optional<absl::StatusOr<float>> Pull(int shard, uint32_t chunk, Clock clock, uint64_t epoch) {
    auto answer = std::make_shared<std::optional<absl::StatusOr<float>>>();
    shards_[shard]->Pull(Worker(epoch), {clock, {chunk}, false, {}}, [answer](auto result) {
      if (!result.ok()) {
        *answer = result.status();
        return;
      }
      float value;
      std::memcpy(&value, result->chunks[0].data.pieces()[0].data, sizeof(value));
      *answer = value;
    });
    return *answer;
  }
  void ExpectPulled(int shard, uint32_t chunk, Clock clock, uint64_t epoch, float weight) {
    const auto pulled = Pull(shard, chunk, clock, epoch);
    ASSERT_TRUE(pulled) << "it waits";
    SYNCLINE_ASSERT_OK(pulled->status());
    EXPECT_EQ(**pulled, weight);
  }
  // Each shard's own chunk, by the first map.
  void PushAll(Clock clock) {
    for (const int shard : {0, 1}) {
      SYNCLINE_ASSERT_OK(Push(shard, static_cast<uint32_t>(shard), clock, 1));
    }
  }
  // A step by the first map.
  void Step(Clock clock) {
    PushAll(clock);
    for (const int shard : {0, 1}) SYNCLINE_ASSERT_OK(Commit(shard, clock, 1));
  }

  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SHARD_TWO_SHARDS_H_
