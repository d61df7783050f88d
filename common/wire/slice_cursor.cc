#include "common/wire/slice_cursor.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace syncline {

absl::StatusOr<SliceCursor> SliceCursor::Of(const grpc::ByteBuffer& buffer) {
  SliceCursor cursor;
  cursor.slices_ = std::make_shared<std::vector<grpc::Slice>>();
  if (buffer.Valid() && !buffer.Dump(cursor.slices_.get()).ok()) {
    return absl::InvalidArgumentError("message: cannot be decompressed; send it uncompressed");
  }
  for (const grpc::Slice& slice : *cursor.slices_) cursor.size_ += slice.size();
  return cursor;
}

absl::Status SliceCursor::Error(const char* what) const {
  return absl::InvalidArgumentError(
      absl::StrCat("message of ", size_, " bytes: ", what, " at byte ", position_));
}

absl::StatusOr<uint8_t> SliceCursor::Byte() {
  if (position_ == size_) return Error("ends too early");
  while (offset_ == (*slices_)[slice_].size()) {
    ++slice_;
    offset_ = 0;
  }
  ++position_;
  return (*slices_)[slice_].begin()[offset_++];
}

absl::StatusOr<uint64_t> SliceCursor::Varint(int max_bytes) {
  uint64_t value = 0;
  for (int shift = 0; shift < 7 * max_bytes; shift += 7) {
    SYNCLINE_ASSIGN_OR_RETURN(const uint8_t byte, Byte());
    if (shift == 63 && byte > 1) break;
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  return Error("number takes too many bytes");
}

absl::StatusOr<SliceCursor::Tag> SliceCursor::ReadTag() {
  SYNCLINE_ASSIGN_OR_RETURN(const uint64_t tag, Varint(kMaxShortVarintBytes));
  if (tag > UINT32_MAX || tag >> 3 == 0) return Error("field number out of range");
  return Tag{static_cast<uint32_t>(tag >> 3), static_cast<uint32_t>(tag & 7)};
}

absl::StatusOr<size_t> SliceCursor::Length(size_t end) {
  SYNCLINE_ASSIGN_OR_RETURN(const uint64_t length, Varint(kMaxShortVarintBytes));
  if (position_ > end || length > end - position_) return Error("length past the end");
  return static_cast<size_t>(length);
}

Fragments SliceCursor::Take(size_t count) {
  Fragments taken(slices_);
  position_ += count;
  while (count > 0) {
    const grpc::Slice& slice = (*slices_)[slice_];
    const size_t n = std::min(count, slice.size() - offset_);
    taken.Append(slice.begin() + offset_, n);
    count -= n;
    offset_ += n;
    if (count > 0) {
      ++slice_;
      offset_ = 0;
    }
  }
  return taken;
}

absl::Status SliceCursor::SkipValue(uint32_t type, size_t end, std::string* copy) {
  size_t length = 0;
  switch (type) {
    case kVarint: {
      SYNCLINE_ASSIGN_OR_RETURN(const uint64_t value, Varint());
      if (copy != nullptr) AppendVarint(value, copy);
      if (position_ > end) return Error("field past its message's end");
      return absl::OkStatus();
    }
    case kFixed64:
      length = 8;
      break;
    case kFixed32:
      length = 4;
      break;
    case kBytes: {
      SYNCLINE_ASSIGN_OR_RETURN(length, Length(end));
      if (copy != nullptr) AppendVarint(length, copy);
      break;
    }
    default:
      return Error("unknown wire type");
  }
  if (position_ > end || length > end - position_) return Error("field past its message's end");
  const Fragments value = Take(length);
  if (copy != nullptr) {
    for (const Fragments::Piece& piece : value.pieces()) copy->append(piece.data, piece.size);
  }
  return absl::OkStatus();
}

void AppendVarint(uint64_t value, std::string* to) {
  while (value >= 0x80) {
    to->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  to->push_back(static_cast<char>(value));
}

}  // namespace syncline
