#ifndef SYNCLINE_COMMON_TENSOR_HUGE_SLAB_H_
#define SYNCLINE_COMMON_TENSOR_HUGE_SLAB_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace syncline {

// Blocks of one size, cut from huge pages: so that a program which looks here and there into
// gigabytes of small blocks does not wait for the translation of their addresses as well. A huge
// page goes back to the system when all its blocks are free; blocks that are free beyond an eighth of all go
// back by themselves. Thread-safe.
class HugeSlab {
 public:
  static constexpr size_t kHugePage = size_t{2} << 20;

  // `block` divides kHugePage and is at most half of it; 4096 divides it.
  explicit HugeSlab(size_t block);
  // All blocks are free.
  ~HugeSlab() = default;

  // Aligned to 4096, contents undefined. Throws std::bad_alloc.
  char* Allocate();
  void Free(char* block);

  // Huge pages that are held.
  size_t pages() const;

 private:
  struct Release {
    void operator()(char* memory) const;
  };
  struct Page {
    std::unique_ptr<char, Release> memory;
    std::vector<uint16_t> free;  // numbers of blocks
    size_t place = 0;            // in open_, if any is free
  };

  Page* Grow() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Open(Page* page) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Close(Page* page) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t block_;
  mutable absl::Mutex mutex_;
  std::unordered_map<uintptr_t, Page> pages_ ABSL_GUARDED_BY(mutex_);  // by address
  std::vector<Page*> open_ ABSL_GUARDED_BY(mutex_);                    // with free blocks
  size_t free_ ABSL_GUARDED_BY(mutex_) = 0;                            // blocks
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_TENSOR_HUGE_SLAB_H_
