#include "server/shard/replication.h"

#include <algorithm>

namespace syncline {
namespace {

// To one place: while one is taken in there, the next is on its way.
constexpr int kMessages = 2;
constexpr size_t kMostChunks = 256;

}  // namespace

void Replication::SetCopies(const Copies& copies, bool made) {
  absl::MutexLock lock(&mu_);
  ++now_;
  for (auto& [address, place] : places_) {
    const auto kept = copies.find(address);
    std::vector<uint32_t> gone;
    for (const auto& [chunk, copy] : place.copies) {
      if (kept == copies.end() || kept->second.count(chunk) == 0) gone.push_back(chunk);
    }
    for (const uint32_t chunk : gone) Forget(&place, chunk);
  }
  for (const auto& [address, chunks] : copies) {
    Place& place = places_[address];
    for (const uint32_t chunk : chunks) {
      const auto [copy, fresh] = place.copies.try_emplace(chunk);
      if (!fresh) continue;
      copy->second.made = made;
      if (!made) Change(&place, chunk, &copy->second, now_);
    }
  }
}

bool Replication::active() const {
  absl::MutexLock lock(&mu_);
  return std::any_of(places_.begin(), places_.end(),
                     [](const auto& place) { return !place.second.copies.empty(); });
}

void Replication::Settle(Moment moment) {
  if (moment != 0) outstanding_.erase(outstanding_.find(moment));
}

void Replication::Forget(Place* place, uint32_t chunk) {
  const auto copy = place->copies.find(chunk);
  Settle(copy->second.unsent);
  Settle(copy->second.under_way);
  place->unsent.erase({copy->second.unsent, chunk});
  place->copies.erase(copy);
}

// An update that waits already stands for later ones too.
void Replication::Change(Place* place, uint32_t chunk, Copy* copy, Moment since) {
  if (copy->unsent != 0 && copy->unsent <= since) return;
  Settle(copy->unsent);
  place->unsent.erase({copy->unsent, chunk});
  copy->unsent = since;
  outstanding_.insert(since);
  if (copy->under_way == 0) place->unsent.insert({since, chunk});
}

void Replication::Changed(absl::Span<const uint32_t> chunks) {
  absl::MutexLock lock(&mu_);
  ++now_;
  for (auto& [address, place] : places_) {
    for (const uint32_t chunk : chunks) {
      const auto copy = place.copies.find(chunk);
      if (copy != place.copies.end()) Change(&place, chunk, &copy->second, now_);
    }
  }
}

Replication::Moment Replication::now() const {
  absl::MutexLock lock(&mu_);
  return now_;
}

bool Replication::Safe(Moment moment) const {
  absl::MutexLock lock(&mu_);
  return outstanding_.empty() || *outstanding_.begin() > moment;
}

std::optional<Replication::Message> Replication::Next() {
  absl::MutexLock lock(&mu_);
  for (auto& [address, place] : places_) {
    if (place.messages == kMessages || place.unsent.empty()) continue;
    Message message{address, {}};
    double taken = 0;
    while (!place.unsent.empty() && message.chunks.size() < kMostChunks) {
      const auto [since, chunk] = *place.unsent.begin();
      Copy& copy = place.copies[chunk];
      if (share_ != nullptr) taken += share_(chunk, !copy.held);
      if (taken > 1 && !message.chunks.empty()) break;
      place.unsent.erase(place.unsent.begin());
      copy.under_way = since;
      copy.unsent = 0;
      message.chunks.push_back({chunk, since, copy.held, std::nullopt});
    }
    ++place.messages;
    return message;
  }
  return std::nullopt;
}

void Replication::Sent(const Message& message, bool arrived, absl::Span<const uint32_t> wanting) {
  absl::MutexLock lock(&mu_);
  Place& place = places_[message.to];
  --place.messages;
  for (const Item& item : message.chunks) {
    const auto found = place.copies.find(item.chunk);
    // It may have been given up meanwhile, or even taken up anew.
    if (found == place.copies.end() || found->second.under_way != item.since) continue;
    Copy& copy = found->second;
    copy.under_way = 0;
    Settle(item.since);
    if (copy.unsent != 0) place.unsent.insert({copy.unsent, item.chunk});
    const bool wanted = std::find(wanting.begin(), wanting.end(), item.chunk) != wanting.end();
    if (wanted) copy.held.reset();
    if (arrived && !wanted) {
      copy.made = true;
      copy.held = item.sent;
    } else {
      Change(&place, item.chunk, &copy, item.since);
    }
  }
}

size_t Replication::unmade() const {
  absl::MutexLock lock(&mu_);
  size_t unmade = 0;
  for (const auto& [address, place] : places_) {
    for (const auto& [chunk, copy] : place.copies) unmade += !copy.made;
  }
  return unmade;
}

size_t Replication::behind() const {
  absl::MutexLock lock(&mu_);
  return outstanding_.size();
}

}  // namespace syncline
