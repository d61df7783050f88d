#ifndef SYNCLINE_COMMON_MEMORY_SHARED_BLOCKS_H_
#define SYNCLINE_COMMON_MEMORY_SHARED_BLOCKS_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/memory/shared_memory.h"

namespace syncline {

// Memory that is lent to other processes of this host, for those who do not mind where it lies. A
// block goes when nobody uses it any more. Thread-safe.
class SharedBlocks {
 public:
  // With `wanted` false there is none.
  explicit SharedBlocks(bool wanted) : wanted_(wanted) {}

  bool wanted() const { return wanted_; }
  // A block of its own, zero-filled. Null when there is no room, after a warning, or none is
  // wanted.
  std::shared_ptr<void> Allocate(size_t bytes);
  // Those that are in use, as they were allocated.
  std::vector<std::shared_ptr<SharedMemory>> blocks() const;

 private:
  const bool wanted_;
  mutable absl::Mutex mu_;
  std::vector<std::weak_ptr<SharedMemory>> blocks_ ABSL_GUARDED_BY(mu_);
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_MEMORY_SHARED_BLOCKS_H_
