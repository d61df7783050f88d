#ifndef SYNCLINE_COMMON_TENSOR_BUFFER_H_
#define SYNCLINE_COMMON_TENSOR_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "common/tensor/fragments.h"

namespace syncline {

// A counted reference to a block of bytes: copies share the block, the last one gives it back to a
// process-wide pool. The pool keeps up to kPooledBytes of freed blocks mapped, so that replacing a
// block by another of its size costs no page faults. Blocks are aligned to a page, those of
// kHugePage bytes and more to a huge page (and ask for one); those of kSlabBlock bytes are cut from huge
// pages.
//
// References to one block may be copied and dropped on any threads; one Buffer object is not
// thread-safe, and whoever writes to the bytes must be their only user (see Unique).
class Buffer {
 public:
  static constexpr size_t kAlignment = 4096;
  static constexpr size_t kHugePage = size_t{2} << 20;
  // For what is much in small pieces, looked into here and there: rows of tables.
  static constexpr size_t kSlabBlock = size_t{32} << 10;
  static constexpr size_t kPooledBytes = size_t{256} << 20;

  // Refers to no block; size 0.
  Buffer() = default;
  // A block with undefined contents.
  static Buffer Allocate(size_t size);
  // A block filled with a copy of `from`.
  static Buffer CopyOf(const Fragments& from);

  Buffer(const Buffer& other);
  Buffer(Buffer&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Buffer();

  char* data() { return const_cast<char*>(std::as_const(*this).data()); }
  const char* data() const;
  float* floats() { return reinterpret_cast<float*>(data()); }
  const float* floats() const { return reinterpret_cast<const float*>(data()); }
  size_t size() const;

  // True when no other reference exists, so that the bytes may be written: whatever the last other
  // holder did with them has happened. A Buffer with no block is not unique.
  bool Unique() const;

  // The bytes, with a reference that keeps them.
  Fragments Share() const;

  // Sees to it that the next `count` blocks of this size cost no page faults: the pool holds as many, beyond what
  // it may otherwise, until they are taken. Touches every page that is new.
  static void Reserve(size_t size, size_t count);
  // What the pool holds at the moment.
  static size_t PooledBytes();

 private:
  struct Block;
  class Pool;

  // What a block of this size takes.
  static size_t Capacity(size_t size);

  explicit Buffer(Block* block) : block_(block) {}
  static Pool& ThePool();

  Block* block_ = nullptr;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_TENSOR_BUFFER_H_
