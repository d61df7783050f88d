#include "server/service/hand_over_message.h"

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/wire/chunk_message.h"
#include "common/wire/protocol_version.h"
#include "server/service/request_checks.h"

namespace syncline {

grpc::ByteBuffer EncodeChunks(uint64_t map_epoch, bool copies,
                              absl::Span<const ChunkSnapshot> chunks) {
  HandOverRequest head;
  head.set_map_epoch(map_epoch);
  head.set_copies(copies);
  head.set_protocol(kProtocolVersion);
  std::vector<WireChunk> arrays;
  for (const ChunkSnapshot& chunk : chunks) {
    HandOverRequest::Chunk* record = head.add_records();
    record->set_chunk(chunk.chunk);
    record->set_step(chunk.step);
    if (chunk.last.gradient_scale) record->set_gradient_scale(*chunk.last.gradient_scale);
    record->set_squared_weights(chunk.last.sums.squared_weights);
    record->set_squared_update(chunk.last.sums.squared_update);
    if (chunk.since) {
      record->set_since(chunk.since->version);
      record->set_since_epoch(chunk.since->epoch);
    }
    record->set_part_begin(chunk.part.begin);
    record->set_part_of(chunk.part.of);
    for (const AppliedPushes& pushes : chunk.applied) {
      AppliedPush* applied = record->add_applied();
      applied->set_rank(pushes.rank);
      applied->set_incarnation(pushes.incarnation);
      applied->set_next(pushes.next);
    }
    const auto add = [&](const Fragments& data, uint64_t place) {
      WireChunk& array = arrays.emplace_back();
      array.chunk = chunk.chunk;
      array.version = chunk.version;
      array.data = data;
      array.offset = place;
    };
    add(chunk.weights, 0);
    arrays.back().keys = chunk.gone;
    for (size_t slot = 0; slot < chunk.state.size(); ++slot) add(chunk.state[slot], slot + 1);
  }
  return EncodeHandOver(head, arrays);
}

absl::StatusOr<HandedOver> DecodeChunks(const grpc::ByteBuffer& message) {
  SYNCLINE_ASSIGN_OR_RETURN(const DecodedHandOver decoded, DecodeHandOver(message));
  SYNCLINE_RETURN_IF_ERROR(CheckProtocol(decoded.head.protocol()));
  HandedOver handed;
  handed.map_epoch = decoded.head.map_epoch();
  handed.copies = decoded.head.copies();
  size_t next = 0;
  for (const auto& record : decoded.head.records()) {
    ChunkSnapshot chunk;
    chunk.chunk = record.chunk();
    chunk.step = record.step();
    if (record.has_gradient_scale()) chunk.last.gradient_scale = record.gradient_scale();
    chunk.last.sums = {record.squared_weights(), record.squared_update()};
    if (record.has_since()) chunk.since = CopyState{record.since_epoch(), record.since()};
    chunk.part = {record.part_begin(), record.part_of()};
    for (const AppliedPush& applied : record.applied()) {
      chunk.applied.push_back({applied.rank(), applied.incarnation(), applied.next()});
    }
    const size_t first = next;
    for (; next < decoded.chunks.size(); ++next) {
      const WireChunk& array = decoded.chunks[next];
      if (array.chunk != chunk.chunk || array.offset != next - first) break;
      if (next == first) {
        chunk.version = array.version;
        chunk.weights = array.data;
        chunk.gone = array.keys;
      } else {
        chunk.state.push_back(array.data);
      }
    }
    handed.chunks.push_back(std::move(chunk));
  }
  if (next == decoded.chunks.size()) return handed;
  return absl::InvalidArgumentError(
      absl::StrCat("chunks: array ", next, ", of chunk ", decoded.chunks[next].chunk,
                   ", is not one of the records' in turn: weights, then each slot of the optimizer"));
}

Sender ShardSender() {
  Sender sender;
  sender.set_rank(~uint32_t{0});
  sender.set_incarnation(1);
  sender.set_protocol(kProtocolVersion);
  return sender;
}

}  // namespace syncline
