#ifndef SYNCLINE_COMMON_WIRE_MESSAGE_H_
#define SYNCLINE_COMMON_WIRE_MESSAGE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/proto_buffer_reader.h"

namespace syncline {

// Small messages as the raw bytes that calls with tensors (chunk_message.h) get and give.

inline grpc::ByteBuffer ToByteBuffer(absl::string_view bytes) {
  const grpc::Slice slice(bytes.data(), bytes.size());
  return grpc::ByteBuffer(&slice, 1);
}

template <typename Message>
grpc::ByteBuffer EncodeMessage(const Message& message) {
  return ToByteBuffer(message.SerializeAsString());
}

// INVALID_ARGUMENT for bytes that are no such message.
template <typename Message>
absl::StatusOr<Message> DecodeMessage(const grpc::ByteBuffer& buffer) {
  Message message;
  grpc::ByteBuffer copy = buffer;  // shares the bytes
  grpc::ProtoBufferReader reader(&copy);
  if (reader.status().ok() && message.ParseFromZeroCopyStream(&reader)) return message;
  return absl::InvalidArgumentError(
      absl::StrCat("the message is no ", Message::descriptor()->name()));
}

// All bytes in one piece. For messages without tensors.
inline std::string ToString(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

}  // namespace syncline

#endif  // SYNCLINE_COMMON_WIRE_MESSAGE_H_
