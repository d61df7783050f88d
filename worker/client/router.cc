#include "worker/client/router.h"

#include <algorithm>
#include <utility>

#include "common/cluster/shard_map.h"
#include "common/cluster/tables.h"

namespace syncline {

Router::Router(const ShardMap& map, std::vector<size_t> message_bytes, const Holds& holds)
    : map_epoch_(map.epoch()),
      chunks_(Chunks(map)),
      owner_(map.owner().begin(), map.owner().end()),
      backups_each_(static_cast<size_t>(BackupsEach(map))),
      backup_(map.backup().begin(), map.backup().end()),
      shards_(map.shards_size()),
      message_bytes_(std::move(message_bytes)),
      tensor_chunks_(map.tensors_size()),
      first_chunk_(map.tensors_size()) {
  for (const ChunkInfo& chunk : chunks_) {
    if (tensor_chunks_[chunk.tensor]++ == 0) first_chunk_[chunk.tensor] = chunk.id;
  }
  std::vector<size_t> held;
  for (size_t t = 0; t < tensors(); ++t) {
    if (IsTable(map.tensors(static_cast<int>(t)))) continue;
    if (holds == nullptr || holds(map.tensors(static_cast<int>(t)).name())) held.push_back(t);
  }
  for (const Messages messages : {kLarge, kSmall}) pulls_[messages] = AllGroups(held, messages);
}

std::vector<Router::Group> Router::AllGroups(absl::Span<const size_t> held, Messages messages) const {
  std::vector<Group> groups = GroupsOf(held, messages);
  std::sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) {
    return a.chunks.front() < b.chunks.front();
  });
  // A shard without chunks is pulled from too: that is how a worker waits for its step there.
  std::vector<bool> asked(shards_);
  for (const Group& group : groups) asked[group.shard] = true;
  for (uint32_t shard = 0; shard < shards_; ++shard) {
    if (!asked[shard]) groups.push_back({map_epoch_, shard, {}, 0});
  }
  return groups;
}

void Router::Add(uint32_t chunk, uint32_t shard, size_t bytes, size_t message_bytes, std::vector<Group>* open,
                 std::vector<Group>* groups) const {
  Group& to = (*open)[shard];
  const bool full = to.bytes + bytes > message_bytes || to.chunks.size() == kMaxGroupChunks;
  if (!to.chunks.empty() && (full || chunks_[to.chunks.back()].rows != chunks_[chunk].rows)) {
    groups->push_back(std::move(to));
    to = Group();
  }
  to.map_epoch = map_epoch_;
  to.shard = shard;
  to.chunks.push_back(chunk);
  to.bytes += bytes;
  to.copies = to.copies || shard != owner_[chunk];
}

uint32_t Router::LeastOf(uint32_t chunk, const std::vector<size_t>& bytes) const {
  uint32_t least = owner_[chunk];
  for (size_t i = chunk * backups_each_; i < (chunk + 1) * backups_each_; ++i) {
    if (bytes[backup_[i]] < bytes[least]) least = backup_[i];
  }
  return least;
}

std::vector<Router::Group> Router::GroupsOf(absl::Span<const size_t> tensors,
                                            Messages messages) const {
  std::vector<uint32_t> chunks;
  for (const size_t tensor : tensors) {
    for (size_t i = 0; i < tensor_chunks_[tensor]; ++i) {
      chunks.push_back(first_chunk_[tensor] + static_cast<uint32_t>(i));
    }
  }
  return GroupsOfChunks(chunks, messages);
}

std::vector<Router::Group> Router::GroupsOfChunks(absl::Span<const uint32_t> chunks,
                                                  Messages messages, const Parts* parts) const {
  std::vector<Group> open(shards_);
  std::vector<Group> groups;
  std::vector<size_t> asked(shards_);
  for (const uint32_t chunk : chunks) {
    const size_t bytes = parts != nullptr ? parts->bytes(chunk) : chunks_[chunk].elements * sizeof(float);
    const uint32_t shard = parts != nullptr && parts->copies ? LeastOf(chunk, asked) : owner_[chunk];
    asked[shard] += bytes;
    const size_t large = parts != nullptr ? parts->message_bytes : message_bytes_[shard];
    Add(chunk, shard, bytes, messages == kLarge ? large : std::min(large, kSmallBytes), &open, &groups);
  }
  for (Group& group : open) {
    if (!group.chunks.empty()) groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace syncline
