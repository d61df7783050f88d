#include "server/load_meter.h"

#include <algorithm>

namespace syncline {

ShardLoad LoadMeter::Next(const std::vector<ChunkWork>& work, double seconds) {
  std::vector<ShardLoad::Chunk> owned;
  uint64_t bytes = 0, copy_bytes = 0;
  for (const ChunkWork& chunk : work) {
    uint64_t& before = before_[chunk.chunk];
    // A shard that was configured anew counts anew.
    const uint64_t since = chunk.bytes < before ? chunk.bytes : chunk.bytes - before;
    before = chunk.bytes;
    bytes += since;
    if (!chunk.owned) copy_bytes += since;
    if (!chunk.owned || since == 0) continue;
    ShardLoad::Chunk& hot = owned.emplace_back();
    hot.set_chunk(chunk.chunk);
    hot.set_bytes(since);
    hot.set_held_bytes(chunk.held_bytes);
  }
  const auto hotter = [](const auto& a, const auto& b) {
    return a.bytes() != b.bytes() ? a.bytes() > b.bytes() : a.chunk() < b.chunk();
  };
  std::sort(owned.begin(), owned.end(), hotter);
  owned.resize(std::min<size_t>(owned.size(), kHottest));
  ShardLoad load;
  load.set_seconds(seconds);
  load.set_bytes(bytes);
  load.set_copy_bytes(copy_bytes);
  load.mutable_hottest()->Assign(owned.begin(), owned.end());
  return load;
}

}  // namespace syncline
