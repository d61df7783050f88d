#ifndef SYNCLINE_COMMON_WIRE_SLICES_H_
#define SYNCLINE_COMMON_WIRE_SLICES_H_

#include <cstdint>
#include <string>

#include "common/tensor/fragments.h"
#include "common/wire/slice_cursor.h"
#include "grpcpp/support/slice.h"

namespace syncline {

// What messages encoded by hand are made of: tensors stay where they are, the little around them is written out.

// Appends what precedes a field's value, `type` being a SliceCursor::WireType.
inline void AppendTag(int field, uint32_t type, std::string* to) {
  AppendVarint(static_cast<uint64_t>(field) << 3 | type, to);
}

// A slice of memory that `data` keeps alive: each slice holds a copy of it until gRPC lets go.
inline grpc::Slice SliceOf(const Fragments& data, const Fragments::Piece& piece) {
  return grpc::Slice(
      const_cast<char*>(piece.data), piece.size,
      [](void* holder) { delete static_cast<Fragments*>(holder); }, new Fragments(data));
}

}  // namespace syncline

#endif  // SYNCLINE_COMMON_WIRE_SLICES_H_
