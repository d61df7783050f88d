#include "worker/client/memory_link.h"

#include <cstring>
#include <string>
#include <utility>

#include "common/rpc/call.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(5);

}  // namespace

absl::StatusOr<std::unique_ptr<MemoryLink>> MemoryLink::Attach(ParameterServer::Stub& shard,
                                                               const Sender& sender,
                                                               const LentBlocks& blocks) {
  AttachMemoryRequest request;
  *request.mutable_sender() = sender;
  request.set_host(HostIdentity());
  if (blocks.empty() || request.host().empty()) return nullptr;
  std::unique_ptr<MemoryLink> link(new MemoryLink);
  for (const auto& memory : blocks) {
    SYNCLINE_ASSIGN_OR_RETURN(
        const auto offer,
        Call<AttachMemoryReply>(shard, &ParameterServer::Stub::AttachMemory, request, kTimeout));
    if (offer.socket().empty()) return nullptr;
    SYNCLINE_ASSIGN_OR_RETURN(Block block, Lend(offer, memory));
    link->blocks_.push_back(std::move(block));
  }
  return link;
}

absl::StatusOr<MemoryLink::Block> MemoryLink::Lend(const AttachMemoryReply& offer,
                                                   std::shared_ptr<const SharedMemory> memory) {
  Block block;
  SYNCLINE_ASSIGN_OR_RETURN(block.connection, LocalSocket::Connect(offer.socket()));
  SYNCLINE_RETURN_IF_ERROR(block.connection.CheckPeer());
  SYNCLINE_RETURN_IF_ERROR(block.connection.Send(offer.token(), memory->fd()));
  SYNCLINE_ASSIGN_OR_RETURN(const std::string answer,
                            block.connection.Receive(sizeof(block.segment)));
  std::memcpy(&block.segment, answer.data(), sizeof(block.segment));
  if (block.segment == 0) return absl::PermissionDeniedError("the shard refuses the memory");
  block.memory = std::move(memory);
  return block;
}

std::optional<MemoryLink::Places> MemoryLink::Find(absl::Span<const Chunk> chunks) const {
  for (const Block& block : blocks_) {
    Places places;
    for (const Chunk& chunk : chunks) {
      const auto offset = block.memory->OffsetOf(chunk.data, chunk.bytes);
      if (!offset) break;
      places.offsets.push_back(*offset);
    }
    if (places.offsets.size() < chunks.size() || chunks.empty()) continue;
    if (block.connection.PeerGone()) return std::nullopt;
    places.segment = block.segment;
    return places;
  }
  return std::nullopt;
}

}  // namespace syncline
