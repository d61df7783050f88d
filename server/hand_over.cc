#include "server/hand_over.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <utility>

#include "absl/time/clock.h"
#include "common/failpoint/failpoint.h"
#include "server/send_chunks.h"
#include "spdlog/spdlog.h"

namespace syncline {
namespace {

constexpr size_t kLanes = 2;
// The ways to other shards are kept from batch to batch, until none has come for so long.
constexpr absl::Duration kIdle = absl::Seconds(5);
constexpr absl::Duration kAttempt = absl::Seconds(10);
// Workers have their weights when no more were asked for in so long. If none are, chunks do not wait any longer either.
constexpr absl::Duration kCalm = absl::Milliseconds(2);
constexpr absl::Duration kLongest = absl::Milliseconds(30);

}  // namespace

HandOver::~HandOver() {
  {
    absl::MutexLock lock(&mu_);
    closing_ = true;
  }
  changed_.NotifyAll();
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
  {
    absl::MutexLock lock(&mu_);
    batches_.push_back({map, std::move(chunks), answers_ != nullptr ? answers_->ended() : 0});
  }
  changed_.NotifyAll();
}

bool HandOver::Wait(std::optional<Batch>* batch) {
  absl::MutexLock lock(&mu_);
  const auto due = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return closing_ || !batches_.empty(); };
  changed_.WaitFor(&mu_, kIdle, due);
  batch->reset();
  if (batches_.empty()) return !closing_;
  *batch = std::move(batches_.front());
  batches_.pop_front();
  return !closing_;
}

void HandOver::Run() {
  std::map<std::string, Lanes> lanes;
  std::optional<Batch> batch;
  while (Wait(&batch)) {
    if (!batch) {
      lanes.clear();
      continue;
    }
    if (answers_ != nullptr) answers_->Await(batch->answers, kCalm, kLongest);
    std::map<std::string, std::vector<ChunkSnapshot>> by_address;
    for (ChunkSnapshot& chunk : batch->chunks) {
      const uint32_t owner = batch->map.owner(static_cast<int>(chunk.chunk));
      by_address[batch->map.shards(static_cast<int>(owner))].push_back(std::move(chunk));
    }
    std::vector<std::thread> threads;
    for (const auto& [address, chunks] : by_address) {
      Lanes& to = lanes[address];
      while (to.size() < kLanes) to.push_back(std::make_unique<ChunkLane>(address, lanes_));
      threads.emplace_back([this, address = &address, to = &to, chunks = &chunks, epoch = batch->map.epoch()] {
        SendTo(*address, *to, epoch, *chunks);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

void HandOver::SendTo(const std::string& address, const Lanes& lanes, uint64_t map_epoch,
                      const std::vector<ChunkSnapshot>& chunks) {
  const auto messages = ChunkMessages(chunks);
  std::atomic<size_t> next{0};
  const auto send = [&](ChunkLane* lane) {
    for (size_t i = next++; i < messages.size(); i = next++) {
      SendMessage(address, map_epoch,
                  [&] { return SendChunks(lane, map_epoch, false, messages[i], kAttempt).status(); });
    }
  };
  std::vector<std::thread> others;
  for (size_t i = 1; i < std::min(lanes.size(), messages.size()); ++i) others.emplace_back(send, lanes[i].get());
  send(lanes[0].get());
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
