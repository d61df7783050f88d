#include "common/tensor/buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/tensor/huge_slab.h"

namespace syncline {
namespace {

// Never destroyed: buffers may outlive main.
HugeSlab& TheSlab() {
  static HugeSlab& slab = *new HugeSlab(Buffer::kSlabBlock);
  return slab;
}

}  // namespace

struct Buffer::Block {
  std::atomic<uint32_t> references{1};
  size_t size = 0;
  size_t capacity = 0;
  char* data = nullptr;

  explicit Block(size_t bytes) : capacity(bytes) {
    if (capacity == kSlabBlock) {
      data = TheSlab().Allocate();
      return;
    }
    data = static_cast<char*>(std::aligned_alloc(bytes < kHugePage ? kAlignment : kHugePage, bytes));
    if (data == nullptr) throw std::bad_alloc();
    if (bytes >= kHugePage) madvise(data, bytes, MADV_HUGEPAGE);  // advice: failure is harmless
  }
  ~Block() { capacity == kSlabBlock ? TheSlab().Free(data) : std::free(data); }
};

// Freed blocks by capacity, up to a limit of bytes in all. Thread-safe.
class Buffer::Pool {
 public:
  std::unique_ptr<Block> Take(size_t capacity) {
    {
      absl::MutexLock lock(&mutex_);
      auto found = free_.find(capacity);
      if (found != free_.end() && !found->second.empty()) {
        std::unique_ptr<Block> block = std::move(found->second.back());
        found->second.pop_back();
        bytes_ -= capacity;
        reserved_ -= std::min(reserved_, capacity);
        return block;
      }
    }
    return std::make_unique<Block>(capacity);
  }

  void Give(std::unique_ptr<Block> block) {
    absl::MutexLock lock(&mutex_);
    if (bytes_ + block->capacity > kPooledBytes + reserved_) return;
    bytes_ += block->capacity;
    free_[block->capacity].push_back(std::move(block));
  }

  void Reserve(size_t capacity, size_t count) {
    size_t there;
    {
      absl::MutexLock lock(&mutex_);
      there = free_[capacity].size();
    }
    for (; there < count; ++there) {
      auto block = std::make_unique<Block>(capacity);
      for (size_t page = 0; page < capacity; page += kAlignment) block->data[page] = 0;
      absl::MutexLock lock(&mutex_);
      reserved_ += capacity;
      bytes_ += capacity;
      free_[capacity].push_back(std::move(block));
    }
  }

  size_t bytes() {
    absl::MutexLock lock(&mutex_);
    return bytes_;
  }

 private:
  absl::Mutex mutex_;
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t reserved_ ABSL_GUARDED_BY(mutex_) = 0;  // allowed beyond kPooledBytes
  std::unordered_map<size_t, std::vector<std::unique_ptr<Block>>> free_ ABSL_GUARDED_BY(mutex_);
};

// Never destroyed: buffers may outlive main.
Buffer::Pool& Buffer::ThePool() {
  static Pool& pool = *new Pool;
  return pool;
}

// Whole pages (huge pages for large blocks), so that nearly equal sizes share a free list.
size_t Buffer::Capacity(size_t size) {
  const size_t unit = size < kHugePage ? kAlignment : kHugePage;
  return unit * (size == 0 ? 1 : (size - 1) / unit + 1);
}

void Buffer::Reserve(size_t size, size_t count) { ThePool().Reserve(Capacity(size), count); }

Buffer Buffer::Allocate(size_t size) {
  std::unique_ptr<Block> block = ThePool().Take(Capacity(size));
  block->references.store(1, std::memory_order_relaxed);
  block->size = size;
  return Buffer(block.release());
}

Buffer Buffer::CopyOf(const Fragments& from) {
  Buffer copy = Allocate(from.size());
  char* to = copy.data();
  for (const Fragments::Piece& piece : from.pieces()) {
    std::memcpy(to, piece.data, piece.size);
    to += piece.size;
  }
  return copy;
}

Buffer::Buffer(const Buffer& other) : block_(other.block_) {
  if (block_ != nullptr) block_->references.fetch_add(1, std::memory_order_relaxed);
}

Buffer::~Buffer() {
  if (block_ != nullptr && block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    ThePool().Give(std::unique_ptr<Block>(block_));
  }
}

const char* Buffer::data() const { return block_ == nullptr ? nullptr : block_->data; }

size_t Buffer::size() const { return block_ == nullptr ? 0 : block_->size; }

bool Buffer::Unique() const {
  // Pairs with the release in the destructor of the last other reference.
  return block_ != nullptr && block_->references.load(std::memory_order_acquire) == 1;
}

Fragments Buffer::Share() const {
  return Fragments::Of(data(), size(), std::make_shared<Buffer>(*this));
}

size_t Buffer::PooledBytes() { return ThePool().bytes(); }

}  // namespace syncline
