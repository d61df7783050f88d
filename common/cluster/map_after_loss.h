#ifndef SYNCLINE_COMMON_CLUSTER_MAP_AFTER_LOSS_H_
#define SYNCLINE_COMMON_CLUSTER_MAP_AFTER_LOSS_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// What the shards that are left have, by address: their answers to TAKE_STOCK.
using Stock = std::map<std::string, ChangeMapReply>;

// The map after `newest` when the shards at `lost` are gone, be it that chunks were on their way to where
// `newest` has them. Who owns a chunk still goes on owning it; of the others whoever has most of it does. Who
// has it too, be it to give it away, keeps a copy where there are too few. Pure.
//
// `joining`: shards that had no place in the map before `newest`, so that they know of no step before it. Those
// that own nothing yet are given up too, and may join again.
//
// DATA_LOSS, naming a chunk, if nobody has it, or with `keep_tensors_whole` (LAMB) if it is not where the rest of
// its tensor is.
absl::StatusOr<ShardMap> MapAfterLoss(const ShardMap& newest, absl::Span<const std::string> lost,
                                      absl::Span<const std::string> joining, bool keep_tensors_whole,
                                      const Stock& stock);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CLUSTER_MAP_AFTER_LOSS_H_
