#include "server/send_chunks.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "server/service/hand_over_message.h"

namespace syncline {
namespace {

// Of chunks that go together: what is written to lent memory is then still in the cache when it is read.
constexpr size_t kRunBytes = size_t{1} << 20;
constexpr size_t kMessageBytes = size_t{4} << 20;
constexpr size_t kMessageChunks = 256;
// Chunks up to this size are not cut.
constexpr size_t kUncutBytes = 4 * kMessageBytes;

size_t Bytes(const ChunkSnapshot& chunk) {
  size_t bytes = chunk.weights.size() + chunk.gone.size();
  for (const Fragments& slot : chunk.state) bytes += slot.size();
  return bytes;
}

// All arrays, one behind the other; of a table's slot the rows.
Fragments AllOf(const ChunkSnapshot& chunk) {
  if (chunk.row_bytes > 0) return chunk.weights;
  auto arrays = std::make_shared<std::vector<Fragments>>(chunk.state);
  arrays->insert(arrays->begin(), chunk.weights);
  Fragments all(arrays);
  for (const Fragments& array : *arrays) {
    for (const Fragments::Piece& piece : array.pieces()) all.Append(piece.data, piece.size);
  }
  return all;
}

}  // namespace

std::vector<absl::Span<const ChunkSnapshot>> ChunkMessages(absl::Span<const ChunkSnapshot> chunks) {
  std::vector<absl::Span<const ChunkSnapshot>> messages;
  size_t begin = 0, bytes = 0;
  for (size_t i = 0; i < chunks.size(); ++i) {
    if (i > begin && (bytes + Bytes(chunks[i]) > kRunBytes || i - begin == kMessageChunks)) {
      messages.push_back(chunks.subspan(begin, i - begin));
      begin = i;
      bytes = 0;
    }
    bytes += Bytes(chunks[i]);
  }
  messages.push_back(chunks.subspan(begin));
  return messages;
}

std::vector<ChunkSnapshot> PartsOf(const ChunkSnapshot& chunk) {
  std::vector<ChunkSnapshot> parts;
  if (chunk.since || Bytes(chunk) <= kUncutBytes) return parts;
  const Fragments all = AllOf(chunk);
  const size_t unit = std::max(chunk.row_bytes, sizeof(float));
  const size_t most = std::max(kMessageBytes / unit, size_t{1}) * unit;
  for (size_t begin = 0; begin < all.size(); begin += most) {
    ChunkSnapshot part = chunk;
    part.state.clear();
    part.weights = all.Sub(begin, std::min(most, all.size() - begin));
    part.part = {begin, all.size()};
    parts.push_back(std::move(part));
  }
  // What was counted of keys without rows is little.
  if (chunk.row_bytes > 0) parts.back().state = chunk.state;
  return parts;
}

absl::StatusOr<HandOverReply> SendChunks(ChunkLane* lane, uint64_t map_epoch, bool copies,
                                         absl::Span<const ChunkSnapshot> chunks, absl::Duration timeout) {
  const auto send = [&](absl::Span<const ChunkSnapshot> message) {
    return lane->Call(EncodeChunks(map_epoch, copies, message), timeout);
  };
  const std::vector<ChunkSnapshot> parts =
      chunks.size() == 1 ? PartsOf(chunks[0]) : std::vector<ChunkSnapshot>();
  if (parts.empty()) return send(chunks);
  absl::StatusOr<HandOverReply> reply = HandOverReply();
  for (size_t i = 0; i < parts.size() && reply.ok(); ++i) reply = send({&parts[i], 1});
  return reply;
}

}  // namespace syncline
