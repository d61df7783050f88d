#ifndef SYNCLINE_SERVER_COORDINATOR_MAP_CHANGE_H_
#define SYNCLINE_SERVER_COORDINATOR_MAP_CHANGE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/cluster/map_after_loss.h"
#include "proto/parameter_server.pb.h"
#include "server/coordinator/shard_link.h"

namespace syncline {

// One change of the shard map, as the coordinator leads it: every shard is prepared, then all are told
// to go on with it, and when every chunk is where it belongs the old owners forget theirs. The phases are
// ChangeMapRequest's; each call blocks, and may be repeated after an error. Not thread-safe.
class MapChange {
 public:
  // By address: every shard of the map in force and of `next`.
  using Links = std::map<std::string, std::shared_ptr<ShardLink>>;

  // `from_step`: of a change that was prepared before; else Prepare finds it.
  MapChange(const ShardMap& next, Links shards, uint64_t from_step = 0)
      : shards_(std::move(shards)) {
    *next_.mutable_map() = next;
    next_.set_from_step(from_step);
  }
  // One that was decided on.
  MapChange(const MapVersion& next, Links shards) : next_(next), shards_(std::move(shards)) {}

  // Finds a step that nobody has begun, `margin` above where the shards are (sync; elsewhere 0 and 0).
  absl::Status Prepare(uint64_t step, uint64_t margin);
  // From here on there is no way back.
  absl::Status Confirm() { return TellAll(ChangeMapRequest::CONFIRM).status(); }
  // Shards are lost: what those of `shards` have. Nothing moves from then on.
  absl::StatusOr<Stock> TakeStock();
  // In place of the other phases.
  absl::Status TakeOver() { return TellAll(ChangeMapRequest::TAKE_OVER).status(); }
  absl::Status Cancel() { return TellAll(ChangeMapRequest::CANCEL).status(); }
  // Whether all has arrived and every shard has reached the step.
  absl::StatusOr<bool> Done();
  absl::Status Finish();
  // Whether every shard had reached the step when Done was called last.
  bool reached() const { return reached_; }
  uint64_t from_step() const { return next_.from_step(); }
  const MapVersion& version() const { return next_; }

 private:
  struct Told {
    bool accepted = true;
    uint64_t lowest_step = ~uint64_t{0};
    uint64_t highest_step = 0;
    uint64_t arriving = 0;
  };
  // Tells everybody at once, also after an error; the first one is returned. `replies` may be null.
  absl::StatusOr<Told> TellAll(ChangeMapRequest::Phase phase, Stock* replies = nullptr);

  MapVersion next_;
  const Links shards_;
  bool reached_ = false;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_MAP_CHANGE_H_
