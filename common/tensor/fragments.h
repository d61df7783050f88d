#ifndef SYNCLINE_COMMON_TENSOR_FRAGMENTS_H_
#define SYNCLINE_COMMON_TENSOR_FRAGMENTS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/container/inlined_vector.h"

namespace syncline {

// A run of bytes that lies in one or more pieces of somebody else's memory, in order: tensor bytes
// as the network delivered them, before (and usually without ever) being put together.
//
// `owner` keeps the memory alive for as long as any copy of this object exists; it may be null when
// the caller guarantees that by other means. Copies are cheap and share the owner. A const object
// may be read from several threads. Pieces need no alignment and may split a float in two.
class Fragments {
 public:
  struct Piece {
    const char* data;
    size_t size;
  };

  Fragments() = default;
  explicit Fragments(std::shared_ptr<const void> owner) : owner_(std::move(owner)) {}

  // One contiguous piece.
  static Fragments Of(const void* data, size_t size, std::shared_ptr<const void> owner = nullptr) {
    Fragments f(std::move(owner));
    f.Append(data, size);
    return f;
  }

  void Append(const void* data, size_t size) {
    if (size == 0) return;
    pieces_.push_back({static_cast<const char*>(data), size});
    size_ += size;
  }

  // `size` bytes from `begin`, all of which must be there.
  Fragments Sub(size_t begin, size_t size) const {
    Fragments sub(owner_);
    for (const Piece& piece : pieces_) {
      if (size == 0) break;
      const size_t skipped = std::min(begin, piece.size);
      const size_t taken = std::min(size, piece.size - skipped);
      sub.Append(piece.data + skipped, taken);
      begin -= skipped;
      size -= taken;
    }
    return sub;
  }

  // Bytes in all pieces together.
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const absl::InlinedVector<Piece, 4>& pieces() const { return pieces_; }

 private:
  absl::InlinedVector<Piece, 4> pieces_;
  size_t size_ = 0;
  std::shared_ptr<const void> owner_;
};

// Reads a Fragments front to back as floats, block by block, copying only where a block is
// unaligned or split over pieces. Not thread-safe; `fragments` must outlive the reader.
class FloatReader {
 public:
  explicit FloatReader(const Fragments& fragments) : fragments_(fragments) {}

  // The next `count` floats: a pointer into the fragments where they lie aligned in one piece, else
  // `scratch` (at least `count` floats) filled with them. At least `count` floats must be left.
  const float* Next(size_t count, float* scratch) {
    const size_t bytes = count * sizeof(float);
    SkipFinishedPieces();
    const Fragments::Piece& piece = fragments_.pieces()[piece_];
    const char* here = piece.data + offset_;
    if (piece.size - offset_ >= bytes && reinterpret_cast<uintptr_t>(here) % alignof(float) == 0) {
      offset_ += bytes;
      return reinterpret_cast<const float*>(here);
    }
    Copy(bytes, reinterpret_cast<char*>(scratch));
    return scratch;
  }

  // The next `bytes` bytes, which must be left.
  void Copy(size_t bytes, char* to) {
    while (bytes > 0) {
      SkipFinishedPieces();
      const Fragments::Piece& piece = fragments_.pieces()[piece_];
      const size_t n = std::min(bytes, piece.size - offset_);
      std::memcpy(to, piece.data + offset_, n);
      to += n;
      bytes -= n;
      offset_ += n;
    }
  }

 private:
  void SkipFinishedPieces() {
    while (offset_ == fragments_.pieces()[piece_].size) {
      ++piece_;
      offset_ = 0;
    }
  }

  const Fragments& fragments_;
  size_t piece_ = 0;
  size_t offset_ = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_TENSOR_FRAGMENTS_H_
