#include "worker/client/serving_map.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/cluster/shard_map.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

// Whether chunks are the same ones in both, and lie in the same parts.
bool SameParts(const ShardMap& a, const ShardMap& b) {
  const auto same_tensor = [](const TensorSpec& x, const TensorSpec& y) {
    return x.name() == y.name() && std::equal(x.shape().begin(), x.shape().end(), y.shape().begin(), y.shape().end()) &&
           x.table().dim() == y.table().dim() && x.table().slots() == y.table().slots();
  };
  return a.chunk_bytes() == b.chunk_bytes() && a.shards_size() == b.shards_size() &&
         std::equal(a.owner().begin(), a.owner().end(), b.owner().begin(), b.owner().end()) &&
         std::equal(a.tensors().begin(), a.tensors().end(), b.tensors().begin(), b.tensors().end(), same_tensor);
}

}  // namespace

absl::StatusOr<ShardMap> JoinServedMaps(absl::Span<const ServedMap> servers,
                                        const std::function<size_t(size_t count)>& choose) {
  if (servers.empty()) return absl::UnavailableError("no server answers");
  for (const ServedMap& server : servers) {
    SYNCLINE_RETURN_IF_ERROR(ValidateShardMap(server.map));
    if (SameParts(servers[0].map, server.map)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(servers[0].address, " and ", server.address,
                     " serve other tensors, tables or parts of them: ask for servers of one job, with one N in "
                     "--serve_part"));
  }
  ShardMap joined = servers[0].map;
  for (int part = 0; part < joined.shards_size(); ++part) {
    std::vector<std::string> there;
    for (const ServedMap& server : servers) {
      if (!server.map.shards(part).empty()) there.push_back(server.address);
    }
    if (there.empty()) {
      return absl::UnavailableError(absl::StrCat("none of the ", servers.size(), " servers that answer has part ",
                                                 part, "/", joined.shards_size()));
    }
    joined.set_shards(part, there[choose(there.size())]);
  }
  joined.set_epoch(joined.epoch() + 1);
  return joined;
}

}  // namespace syncline
