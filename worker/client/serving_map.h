#ifndef SYNCLINE_WORKER_CLIENT_SERVING_MAP_H_
#define SYNCLINE_WORKER_CLIENT_SERVING_MAP_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// A server of checkpoints and the map it goes by, in which only its own place has a name: its part.
struct ServedMap {
  std::string address;
  ShardMap map;
};

// The map by which all parts are read, at the addresses of `servers`; of several with one part, `choose` says which,
// by a number below the one given. Its epoch is above theirs, as it says more than any of them. Pure.
// UNAVAILABLE naming a part that no server has; FAILED_PRECONDITION where two go by different maps.
absl::StatusOr<ShardMap> JoinServedMaps(absl::Span<const ServedMap> servers,
                                        const std::function<size_t(size_t count)>& choose);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_SERVING_MAP_H_
