#include "server/replicator.h"

#include <utility>

#include "absl/time/clock.h"
#include "server/send_chunks.h"
#include "spdlog/spdlog.h"

namespace syncline {
namespace {

// To each shard, each with a connection of its own.
constexpr int kThreads = 2;
constexpr absl::Duration kAttempt = absl::Seconds(5);
// After a failure.
constexpr absl::Duration kPause = absl::Milliseconds(20);

}  // namespace

void Replicator::Send(const std::string& to, uint64_t map_epoch, std::vector<ChunkSnapshot> chunks,
                      Done done) {
  absl::MutexLock lock(&mu_);
  if (stopping_) return;
  Place& place = places_[to];
  place.messages.push_back({map_epoch, std::move(chunks), std::move(done)});
  while (place.threads.size() < kThreads) place.threads.emplace_back([this, to] { Run(to); });
}

void Replicator::Stop() {
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    for (auto& [address, place] : places_) {
      for (std::thread& thread : place.threads) threads.push_back(std::move(thread));
      place.threads.clear();
    }
  }
  for (std::thread& thread : threads) thread.join();
}

bool Replicator::WaitForMessage(const std::string& address, Message* message) {
  absl::MutexLock lock(&mu_);
  std::deque<Message>& messages = places_[address].messages;
  const auto due = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return stopping_ || !messages.empty();
  };
  mu_.Await(absl::Condition(&due));
  if (stopping_) return false;
  *message = std::move(messages.front());
  messages.pop_front();
  return true;
}

void Replicator::Run(const std::string& address) {
  ChunkLane lane(address, lanes_);
  Message message;
  while (WaitForMessage(address, &message)) {
    absl::StatusOr<std::vector<uint32_t>> wanting = std::vector<uint32_t>();
    for (const auto& chunks : ChunkMessages(message.chunks)) {
      const auto reply = SendChunks(&lane, message.map_epoch, true, chunks, kAttempt);
      if (!reply.ok()) wanting = reply.status();
      if (!wanting.ok()) break;
      wanting->insert(wanting->end(), reply->wanting().begin(), reply->wanting().end());
    }
    Note(address, std::string(wanting.status().message()));
    if (!wanting.ok()) absl::SleepFor(kPause);
    const Done done = std::move(message.done);
    message = {};
    done(wanting);
  }
}

void Replicator::Note(const std::string& address, const std::string& error) {
  absl::MutexLock lock(&mu_);
  std::string& last = places_[address].last_error;
  if (!error.empty() && error != last) {
    spdlog::warn("sending copies to {}, trying again: {}", address, error);
  }
  last = error;
}

}  // namespace syncline
