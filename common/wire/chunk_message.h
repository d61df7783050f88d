#ifndef SYNCLINE_COMMON_WIRE_CHUNK_MESSAGE_H_
#define SYNCLINE_COMMON_WIRE_CHUNK_MESSAGE_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/tensor/fragments.h"
#include "grpcpp/support/byte_buffer.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// Encodes and decodes the messages that carry tensors, PushRequest, PullReply and HandOverRequest, around the
// tensors' own memory. The bytes on the wire are what protobuf would write (fields in another order
// are read as well), but tensor bytes are never copied: going out they are slices of the sender's
// memory, coming in they are pieces of the received buffer.
//
//   message = head-field* (chunk-tag varint-length chunk)*
//   chunk   = [0x08 varint-id] [0x10 varint-version] [0x18 varint-offset]
//             [0x20 varint-codec] [0x28 varint-unchanged] [0x32 varint-length key*] 0x7A varint-length float32*
//
// All functions are thread-safe.

// One ChunkData. In an outgoing message the bytes must not change until gRPC has sent it: `data`
// keeps them alive through its owner, or the caller does so until the call has ended.
struct WireChunk {
  uint32_t chunk = 0;
  uint64_t version = 0;
  Fragments data;
  // Where the tensor lies in the message's segment of lent memory, if it names one.
  uint64_t offset = 0;
  // How `data` is written (common/codec).
  Codec codec = CODEC_UNSPECIFIED;
  // Not sent, because the puller has it.
  bool unchanged = false;
  // Of rows, 8 bytes each; as long-lived as `data`.
  Fragments keys{};
};

// `head` holds all fields but `chunks`.
grpc::ByteBuffer EncodePush(const PushRequest& head, absl::Span<const WireChunk> chunks);
grpc::ByteBuffer EncodePullReply(const PullReply& head, absl::Span<const WireChunk> chunks);
grpc::ByteBuffer EncodeHandOver(const HandOverRequest& head, absl::Span<const WireChunk> chunks);

struct DecodedPush {
  PushRequest head;  // without chunks
  // Share ownership of the received buffer.
  std::vector<WireChunk> chunks;
};
struct DecodedPullReply {
  PullReply head;  // without chunks
  std::vector<WireChunk> chunks;
};

struct DecodedHandOver {
  HandOverRequest head;  // without chunks
  std::vector<WireChunk> chunks;
};

// INVALID_ARGUMENT, naming the field and the byte where reading stopped, for bytes that are no such
// message: truncated, a length past the end, a chunk number over 2^32 - 1, a codec there is not, an
// uncoded tensor whose size is not a multiple of 4, keys whose size is not one of 8, a head over 64 KiB (1 MiB in a hand-over).
absl::StatusOr<DecodedPush> DecodePush(const grpc::ByteBuffer& buffer);
absl::StatusOr<DecodedPullReply> DecodePullReply(const grpc::ByteBuffer& buffer);
absl::StatusOr<DecodedHandOver> DecodeHandOver(const grpc::ByteBuffer& buffer);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_WIRE_CHUNK_MESSAGE_H_
