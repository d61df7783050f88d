#include "worker/client/router.h"

#include <algorithm>
#include <utility>

namespace syncline {

Router::Router(const ShardMap& map, size_t message_bytes)
    : chunks_(Chunks(map)), shards_(map.shards_size()), map_epoch_(map.epoch()) {
  tensor_chunks_.resize(map.tensors_size());
  for (const ChunkInfo& chunk : chunks_) ++tensor_chunks_[chunk.tensor];
  pulls_ = MakeGroups(map, 0, chunks_.size(), message_bytes);
  // A shard without chunks is pulled from too: that is how a worker waits for its step there.
  for (uint32_t shard = 0; shard < shards_; ++shard) {
    const auto& owners = map.owner();
    if (std::find(owners.begin(), owners.end(), shard) == owners.end()) {
      pulls_.push_back({shard, {}});
    }
  }
  size_t begin = 0;
  for (const size_t count : tensor_chunks_) {
    pushes_.push_back(MakeGroups(map, begin, begin + count, message_bytes));
    begin += count;
  }
}

std::vector<Router::Group> Router::MakeGroups(const ShardMap& map, size_t begin, size_t end,
                                              size_t message_bytes) const {
  struct Open {
    Group group;
    size_t bytes = 0;
  };
  std::vector<Open> open(shards_);
  std::vector<Group> groups;
  const auto close = [&groups](Open* o) {
    if (!o->group.chunks.empty()) groups.push_back(std::move(o->group));
    *o = Open();
  };
  for (size_t id = begin; id < end; ++id) {
    Open& to = open[map.owner(static_cast<int>(id))];
    const size_t bytes = chunks_[id].elements * sizeof(float);
    if (to.bytes + bytes > message_bytes) close(&to);
    to.group.shard = map.owner(static_cast<int>(id));
    to.group.chunks.push_back(static_cast<uint32_t>(id));
    to.bytes += bytes;
  }
  for (Open& o : open) close(&o);
  // The order of their first chunks is the order in which a model needs them.
  std::sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) {
    return a.chunks.front() < b.chunks.front();
  });
  return groups;
}

}  // namespace syncline
