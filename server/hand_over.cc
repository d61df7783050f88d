#include "server/hand_over.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <utility>

#include "absl/time/clock.h"
#include "common/failpoint/failpoint.h"
#include "common/rpc/channel.h"
#include "server/send_chunks.h"
#include "spdlog/spdlog.h"

namespace syncline {
namespace {

// To each shard, each with a connection of its own.
constexpr int kLanes = 2;
constexpr absl::Duration kAttempt = absl::Seconds(10);

}  // namespace

HandOver::~HandOver() {
  {
    absl::MutexLock lock(&mu_);
    closing_ = true;
  }
  thread_.join();
}

bool HandOver::GivenUp(uint64_t map_epoch) const {
  absl::MutexLock lock(&mu_);
  return closing_ || map_epoch < given_up_before_;
}

void HandOver::GiveUpBefore(uint64_t map_epoch) {
  absl::MutexLock lock(&mu_);
  given_up_before_ = map_epoch;
}

void HandOver::Send(const ShardMap& map, std::vector<ChunkSnapshot> chunks) {
  absl::MutexLock lock(&mu_);
  batches_.push_back({map, std::move(chunks)});
}

void HandOver::Run() {
  while (true) {
    Batch batch;
    {
      absl::MutexLock lock(&mu_);
      const auto due = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return closing_ || !batches_.empty();
      };
      mu_.Await(absl::Condition(&due));
      if (closing_) return;
      batch = std::move(batches_.front());
      batches_.pop_front();
    }
    std::map<std::string, std::vector<ChunkSnapshot>> by_address;
    for (ChunkSnapshot& chunk : batch.chunks) {
      const uint32_t owner = batch.map.owner(static_cast<int>(chunk.chunk));
      by_address[batch.map.shards(static_cast<int>(owner))].push_back(std::move(chunk));
    }
    std::vector<std::thread> threads;
    for (const auto& [address, chunks] : by_address) {
      threads.emplace_back([this, address = &address, chunks = &chunks, &batch] {
        SendTo(*address, batch.map.epoch(), *chunks);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

void HandOver::SendTo(const std::string& address, uint64_t map_epoch,
                      const std::vector<ChunkSnapshot>& chunks) {
  const auto messages = ChunkMessages(chunks);
  std::atomic<size_t> next{0};
  const auto lane = [&] {
    const auto channel = MakeChannel(address, security_);
    for (size_t i = next++; i < messages.size(); i = next++) {
      SendMessage(address, map_epoch,
                  [&] { return SendChunks(channel, map_epoch, false, messages[i], kAttempt); });
    }
  };
  std::vector<std::thread> others;
  for (int i = 1; i < kLanes && i < static_cast<int>(messages.size()); ++i) others.emplace_back(lane);
  lane();
  for (std::thread& thread : others) thread.join();
}

void HandOver::SendMessage(const std::string& address, uint64_t map_epoch,
                           const std::function<absl::Status()>& attempt) {
  absl::Duration wait = absl::Milliseconds(5);
  std::string last_error;
  while (!GivenUp(map_epoch)) {
    Failpoint("chunks.leave");
    const absl::Status sent = attempt();
    if (sent.ok()) return;
    if (absl::IsFailedPrecondition(sent)) {
      spdlog::error("{} does not take the chunks handed over to it: {}", address,
                    std::string(sent.message()));
      return;
    }
    if (sent.message() != last_error) {
      spdlog::warn("handing chunks over to {}, trying again: {}", address,
                   std::string(sent.message()));
    }
    last_error = std::string(sent.message());
    absl::SleepFor(wait);
    wait = std::min(2 * wait, absl::Milliseconds(500));
  }
}

}  // namespace syncline
