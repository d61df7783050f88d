#include "server/send_chunks.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/status/status_macros.h"
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
  size_t bytes = chunk.WeightBytes() + chunk.gone.size();
  for (const Fragments& slot : chunk.state) bytes += slot.size();
  return bytes;
}

// All arrays, one behind the other; of a table's slot the rows in memory.
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

// With the rows that are on disk.
absl::StatusOr<std::vector<ChunkSnapshot>> Loaded(absl::Span<const ChunkSnapshot> chunks) {
  std::vector<ChunkSnapshot> loaded(chunks.begin(), chunks.end());
  for (ChunkSnapshot& chunk : loaded) {
    SYNCLINE_ASSIGN_OR_RETURN(chunk.weights, Load({chunk.weights, chunk.cold}));
    chunk.cold = nullptr;
  }
  return loaded;
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

bool IsCut(const ChunkSnapshot& chunk) { return !chunk.since && Bytes(chunk) > kUncutBytes; }

absl::Status ForEachPart(const ChunkSnapshot& chunk, const std::function<absl::Status(const ChunkSnapshot&)>& send) {
  const Fragments all = AllOf(chunk);
  const size_t of = all.size() + (chunk.cold != nullptr ? chunk.cold->size() : 0);
  const size_t unit = std::max(chunk.row_bytes, sizeof(float));
  const size_t most = std::max(kMessageBytes / unit, size_t{1}) * unit;
  ChunkSnapshot part = chunk;
  part.state.clear();
  part.cold = nullptr;
  size_t next = 0;
  const auto send_next = [&](const Fragments& bytes) {
    part.weights = bytes;
    part.part = {next, of};
    next += bytes.size();
    // What was counted of keys without rows is little.
    if (chunk.row_bytes > 0 && next == of) part.state = chunk.state;
    return send(part);
  };
  while (next < all.size()) {
    SYNCLINE_RETURN_IF_ERROR(send_next(all.Sub(next, std::min(most, all.size() - next))));
  }
  return chunk.cold != nullptr ? chunk.cold->ForEachBlock(most, send_next) : absl::OkStatus();
}

absl::StatusOr<HandOverReply> SendChunks(ChunkLane* lane, uint64_t map_epoch, bool copies,
                                         absl::Span<const ChunkSnapshot> chunks, absl::Duration timeout) {
  HandOverReply reply;
  const auto send = [&](absl::Span<const ChunkSnapshot> message) -> absl::Status {
    SYNCLINE_ASSIGN_OR_RETURN(reply, lane->Call(EncodeChunks(map_epoch, copies, message), timeout));
    return absl::OkStatus();
  };
  if (chunks.size() == 1 && IsCut(chunks[0])) {
    SYNCLINE_RETURN_IF_ERROR(ForEachPart(chunks[0], [&](const ChunkSnapshot& part) { return send({&part, 1}); }));
  } else if (std::any_of(chunks.begin(), chunks.end(), [](const auto& chunk) { return chunk.cold != nullptr; })) {
    SYNCLINE_ASSIGN_OR_RETURN(const std::vector<ChunkSnapshot> loaded, Loaded(chunks));
    SYNCLINE_RETURN_IF_ERROR(send(loaded));
  } else {
    SYNCLINE_RETURN_IF_ERROR(send(chunks));
  }
  return reply;
}

}  // namespace syncline
