#include "server/send_chunks.h"

#include "common/rpc/call_raw.h"
#include "server/service/hand_over_message.h"

namespace syncline {
namespace {

constexpr size_t kMessageBytes = size_t{4} << 20;
constexpr size_t kMessageChunks = 256;

size_t Bytes(const ChunkSnapshot& chunk) {
  return chunk.weights.size() * (1 + chunk.state.size());
}

}  // namespace

std::vector<absl::Span<const ChunkSnapshot>> ChunkMessages(absl::Span<const ChunkSnapshot> chunks) {
  std::vector<absl::Span<const ChunkSnapshot>> messages;
  size_t begin = 0, bytes = 0;
  for (size_t i = 0; i < chunks.size(); ++i) {
    if (i > begin && (bytes + Bytes(chunks[i]) > kMessageBytes || i - begin == kMessageChunks)) {
      messages.push_back(chunks.subspan(begin, i - begin));
      begin = i;
      bytes = 0;
    }
    bytes += Bytes(chunks[i]);
  }
  messages.push_back(chunks.subspan(begin));
  return messages;
}

absl::Status SendChunks(const absl::StatusOr<std::shared_ptr<grpc::Channel>>& channel,
                        uint64_t map_epoch, bool copies, absl::Span<const ChunkSnapshot> chunks,
                        absl::Duration timeout) {
  if (!channel.ok()) return channel.status();
  return CallRaw(*channel, "/syncline.ParameterServer/HandOver",
                 EncodeChunks(map_epoch, copies, chunks), timeout)
      .status();
}

}  // namespace syncline
