#include "server/shard/map_state.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/cluster/shard_map.h"
#include "common/status/status_macros.h"

namespace syncline {

MapState::MapState(ShardMap map, uint32_t shard, bool by_step) : by_step_(by_step) {
  *now_.version.mutable_map() = std::move(map);
  now_.shard = shard;
}

uint64_t MapState::newest_epoch() const {
  return confirmed() ? next_map().epoch() : map().epoch();
}

GetMapReply MapState::Describe() const {
  GetMapReply reply;
  *reply.add_maps() = now_.version;
  if (confirmed()) *reply.add_maps() = next_->version;
  return reply;
}

absl::Status MapState::CheckNext(const MapVersion& next) const {
  const uint64_t epoch = next.map().epoch();
  if (next_ && next_map().epoch() == epoch &&
      (!confirmed_ || next.from_step() == from_step())) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "map epoch ", epoch, " from step ", next.from_step(), ": this shard goes by epoch ",
      map().epoch(),
      next_ ? absl::StrCat(" and is to go by ", next_map().epoch(), " from step ", from_step()) : ""));
}

absl::Status MapState::Prepare(const MapVersion& next, uint32_t shard) {
  if (Finished(next)) return absl::OkStatus();
  if (next.map().owner_size() != map().owner_size()) {
    return absl::InvalidArgumentError(absl::StrCat("map epoch ", next.map().epoch(), " has ",
                                                   next.map().owner_size(), " chunks, epoch ",
                                                   map().epoch(), " ", map().owner_size()));
  }
  if (next_ || next.map().epoch() != map().epoch() + 1) SYNCLINE_RETURN_IF_ERROR(CheckNext(next));
  if (confirmed_) return absl::OkStatus();
  next_ = Place{next, shard};
  left_ = false;
  return absl::OkStatus();
}

absl::Status MapState::Confirm(const MapVersion& next) {
  still_ = false;
  if (Finished(next)) return absl::OkStatus();
  SYNCLINE_RETURN_IF_ERROR(CheckNext(next));
  if (next.from_step() != from_step()) {
    return absl::FailedPreconditionError(
        absl::StrCat("map epoch ", next.map().epoch(), " was prepared for step ", from_step(),
                     ", not for ", next.from_step()));
  }
  confirmed_ = true;
  return absl::OkStatus();
}

absl::Status MapState::Finish(const MapVersion& next) {
  if (Finished(next)) return absl::OkStatus();
  SYNCLINE_RETURN_IF_ERROR(CheckNext(next));
  if (!confirmed_ || !left_) {
    return absl::FailedPreconditionError(
        absl::StrCat("map epoch ", next.map().epoch(), " is not in force here yet"));
  }
  now_ = *std::move(next_);
  next_.reset();
  confirmed_ = false;
  return absl::OkStatus();
}

absl::Status MapState::Cancel(const MapVersion& next) {
  if (confirmed_) {
    return absl::FailedPreconditionError(
        absl::StrCat("map epoch ", next.map().epoch(), " is confirmed: change the map back"));
  }
  if (next_ && next_map().epoch() == next.map().epoch()) next_.reset();
  return absl::OkStatus();
}

absl::Status MapState::TakeOver(const MapVersion& next, uint32_t shard) {
  if (Finished(next)) return absl::OkStatus();
  if (next.map().epoch() <= newest_epoch() || next.map().owner_size() != map().owner_size()) {
    return absl::FailedPreconditionError(absl::StrCat("map epoch ", next.map().epoch(), " of ",
                                                      next.map().owner_size(), " chunks does not follow: this "
                                                      "shard goes by epoch ", newest_epoch(), " of ",
                                                      map().owner_size()));
  }
  now_ = Place{next, shard};
  next_.reset();
  confirmed_ = still_ = false;
  return absl::OkStatus();
}

bool MapState::Holds(Clock step) const {
  return by_step_ && next_ && !confirmed_ && step >= from_step();
}

bool MapState::Leaves(Clock step) const {
  return confirmed() && !left_ && (!by_step_ || step >= from_step());
}

bool MapState::ReadsLeaving(Clock clock) const {
  return by_step_ && next_ && clock == from_step();
}

// Nobody finishes a change before every shard has confirmed it, nor takes over before every shard has taken stock.
bool MapState::KeepsCopy(uint32_t chunk) const {
  return !still_ && IsBackup(map(), chunk, shard()) && (!next_ || IsBackup(next_map(), chunk, next_shard()));
}

absl::Status MapState::Check(uint64_t epoch, Clock clock, Call call) const {
  if (epoch > newest_epoch()) {
    return absl::UnavailableError(absl::StrCat("map epoch ", epoch, ": this shard has heard of ",
                                               newest_epoch(), " so far"));
  }
  // What was made before this map is only being asked for again; it may be by the next one of a worker that has heard
  // of its being in force.
  const bool reached = confirmed() && left_;  // the next one's step
  if (by_step_ && clock < (reached ? from_step() : now_.version.from_step())) return absl::OkStatus();
  if (!by_step_ && call != Call::kCommit) return absl::OkStatus();
  bool right = epoch >= map().epoch();
  if (confirmed() && by_step_ && right) {
    const Clock from = from_step();
    const bool is_new = epoch == next_map().epoch();
    right = clock >= from ? is_new || (call == Call::kPull && clock == from) : !is_new;
  }
  if (right) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat("map epoch ", epoch, " is not the one for clock ", clock,
                                         " any more: fetch the shard map"));
}

std::vector<uint32_t> MapState::Differing(const Place& a, const Place& b) {
  std::vector<uint32_t> chunks;
  for (int chunk = 0; chunk < a.version.map().owner_size(); ++chunk) {
    if (a.Owns(chunk) && !b.Owns(chunk)) chunks.push_back(static_cast<uint32_t>(chunk));
  }
  return chunks;
}

}  // namespace syncline
