#include "server/send_chunks.h"

#include "common/rpc/call_raw.h"
#include "server/service/hand_over_message.h"

namespace syncline {

absl::Status SendChunks(const absl::StatusOr<std::shared_ptr<grpc::Channel>>& channel,
                        uint64_t map_epoch, bool copies, absl::Span<const ChunkSnapshot> chunks,
                        absl::Duration timeout) {
  if (!channel.ok()) return channel.status();
  return CallRaw(*channel, "/syncline.ParameterServer/HandOver",
                 EncodeChunks(map_epoch, copies, chunks), timeout)
      .status();
}

}  // namespace syncline
