#ifndef SYNCLINE_COMMON_MEMORY_LOCAL_FRAME_H_
#define SYNCLINE_COMMON_MEMORY_LOCAL_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace syncline {

// What a worker says over a LocalSocket to a shard on its host, or to another worker of its team, beside the
// memory that carries the tensors. Numbers are in the host's byte order.
//
//   frame = call(8) kind(4) code(4) body
//
// The worker begins with kHello (body: the token of AttachMemory) and a kLend for each block (with its
// descriptor, no body); then come calls, whose bodies are the messages of proto/parameter_server.proto
// that gRPC would carry. Every frame is answered by one with the same `call` and `kind`, in any
// order; `code` is that of an absl::Status, and the body the reply or the error's message.
struct LocalFrame {
  enum Kind : uint32_t {
    kHello = 1,
    kLend = 2,
    kPush = 3,
    kPull = 4,
    kCommit = 5,
    kPing = 6,
    kPushPull = 7,
    kDeliver = 8,  // a TeamMessage; answered, without a body, when nobody looks at its data any more
    kHandOver = 9  // from a shard; the body is a LentMessage, and says where the HandOverRequest lies
  };

  uint64_t call = 0;
  uint32_t kind = 0;
  uint32_t code = 0;

  // The bytes before the body.
  absl::string_view AsBytes() const {
    return {reinterpret_cast<const char*>(this), sizeof(*this)};
  }
  // Nothing if `message` is no frame. The rest of it is the body.
  static std::optional<LocalFrame> Of(absl::string_view message) {
    LocalFrame frame;
    if (message.size() < sizeof(frame)) return std::nullopt;
    std::memcpy(&frame, message.data(), sizeof(frame));
    return frame;
  }
};

// No message on a local socket is longer: the system's buffers have no room for one.
constexpr size_t kMaxLocalMessage = size_t{256} << 10;

}  // namespace syncline

#endif  // SYNCLINE_COMMON_MEMORY_LOCAL_FRAME_H_
