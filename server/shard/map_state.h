#ifndef SYNCLINE_SERVER_SHARD_MAP_STATE_H_
#define SYNCLINE_SERVER_SHARD_MAP_STATE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "common/cluster/ids.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// The shard map a shard goes by, and the change of it that is under way: which requests go by the wrong
// one, and which chunks come and go. Pure; not thread-safe.
//
// In sync a change holds from a step on. A push or commit of that step goes by the new map; a pull by
// either, as the shard that gives a chunk away can still be read: so chunks travel while workers compute.
// Elsewhere an older map will do for pushes and pulls of chunks that are here, of which there may be many under
// way; whoever commits by one has shards to tell that it does not know of.
class MapState {
 public:
  enum class Call { kPull, kPush, kCommit };

  // `shard`: its place in `map.shards`, or past its end. `by_step`: sync.
  MapState(ShardMap map, uint32_t shard, bool by_step);

  const ShardMap& map() const { return now_.version.map(); }
  uint32_t shard() const { return now_.shard; }
  // Whether the shard has a place in the map at all.
  bool placed() const { return now_.shard < static_cast<uint32_t>(map().shards_size()); }
  // Of the newest map that workers may know of.
  uint64_t newest_epoch() const;
  // For workers: the map in force and, once confirmed, the next one.
  GetMapReply Describe() const;

  // The phases of a change, as in ChangeMapRequest; each may be repeated. FAILED_PRECONDITION for an
  // epoch that does not follow, or a phase out of turn.
  absl::Status Prepare(const MapVersion& next, uint32_t shard);
  absl::Status Confirm(const MapVersion& next);
  absl::Status Finish(const MapVersion& next);
  absl::Status Cancel(const MapVersion& next);
  // Shards are lost: whatever change is under way stands still until Confirm or TakeOver.
  void TakeStock() { still_ = true; }
  bool still() const { return still_; }
  // In one go, also in the middle of a change.
  absl::Status TakeOver(const MapVersion& next, uint32_t shard);

  // Whether `next` is in force already.
  bool Finished(const MapVersion& next) const { return next.map().epoch() == map().epoch(); }

  // The change under way, if any.
  bool changing() const { return next_.has_value(); }
  bool confirmed() const { return next_ && confirmed_; }
  const ShardMap& next_map() const { return next_->version.map(); }
  uint32_t next_shard() const { return next_->shard; }
  Clock from_step() const { return next_->version.from_step(); }
  // Prepared, not confirmed: nobody may begin `step`.
  bool Holds(Clock step) const;
  // It is time to give away what is no longer this shard's; say so with SetLeft when it is done.
  bool Leaves(Clock step) const;
  void SetLeft() { left_ = true; }
  std::vector<uint32_t> Leaving() const { return Differing(now_, *next_); }
  std::vector<uint32_t> Arriving() const { return Differing(*next_, now_); }
  // Whether a pull of `clock` may read what was given away.
  bool ReadsLeaving(Clock clock) const;

  // Whether this shard keeps a copy of `chunk` by every map that an owner of it may go by, so that no push to the chunk is
  // acknowledged without this copy. While shards are lost nobody can say so.
  bool KeepsCopy(uint32_t chunk) const;

  // Whether a worker's request goes by the map it should. ABORTED: by one that is no longer right (fetch
  // it anew); UNAVAILABLE: by one this shard has yet to hear of.
  absl::Status Check(uint64_t epoch, Clock clock, Call call) const;

 private:
  struct Place {
    MapVersion version;
    uint32_t shard = 0;

    bool Owns(int chunk) const { return version.map().owner(chunk) == shard; }
  };

  // Chunks this shard has by `a` and not by `b`.
  static std::vector<uint32_t> Differing(const Place& a, const Place& b);
  absl::Status CheckNext(const MapVersion& next) const;

  const bool by_step_;
  Place now_;
  std::optional<Place> next_;
  bool confirmed_ = false;
  bool left_ = false;
  bool still_ = false;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SHARD_MAP_STATE_H_
