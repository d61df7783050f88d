#ifndef SYNCLINE_COMMON_WIRE_SLICE_CURSOR_H_
#define SYNCLINE_COMMON_WIRE_SLICE_CURSOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tensor/fragments.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/slice.h"

namespace syncline {

// Reads protobuf's wire format from a received buffer, front to back, without copying it. Every
// read checks that the bytes are there. Not thread-safe; errors are INVALID_ARGUMENT and say at
// which byte. The buffer lives as long as the cursor or any Fragments taken from it.
class SliceCursor {
 public:
  // Wire types of protobuf's encoding; 3 and 4 (groups) are not used in proto3.
  enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
  struct Tag {
    uint32_t field;
    uint32_t type;
  };

  static absl::StatusOr<SliceCursor> Of(const grpc::ByteBuffer& buffer);

  // Bytes read so far, and in all.
  size_t position() const { return position_; }
  size_t size() const { return size_; }

  // A number in at most `max_bytes` bytes.
  absl::StatusOr<uint64_t> Varint(int max_bytes = 10);
  absl::StatusOr<Tag> ReadTag();
  // A length followed by at least that many bytes before `end`.
  absl::StatusOr<size_t> Length(size_t end);
  // The next `count` bytes (which Length has found to be there), where they lie.
  Fragments Take(size_t count);
  // Skips the value of a field of wire type `type` that must end by `end`; appends its bytes to
  // `copy` unless that is null.
  absl::Status SkipValue(uint32_t type, size_t end, std::string* copy);

 private:
  SliceCursor() = default;
  // Tags and lengths take no more, also when padded with zeros: protobuf refuses them.
  static constexpr int kMaxShortVarintBytes = 5;

  absl::StatusOr<uint8_t> Byte();
  absl::Status Error(const char* what) const;

  std::shared_ptr<std::vector<grpc::Slice>> slices_;
  size_t slice_ = 0;
  size_t offset_ = 0;
  size_t position_ = 0;
  size_t size_ = 0;
};

// Appends protobuf's base-128 encoding of `value`.
void AppendVarint(uint64_t value, std::string* to);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_WIRE_SLICE_CURSOR_H_
