#ifndef SYNCLINE_WORKER_CLIENT_LENT_POOL_H_
#define SYNCLINE_WORKER_CLIENT_LENT_POOL_H_

#include <cstddef>
#include <functional>
#include <memory>

#include "common/memory/shared_memory.h"

namespace syncline {

// Memory lent to the shards on this host that calls take and give back, so that its pages are there from the second
// time on. Blocks stay lent: as many and as large as calls under way together have needed. Thread-safe.
class LentPool {
 public:
  // `lend` is called with each new block, before it is used.
  using Lend = std::function<void(std::shared_ptr<const SharedMemory>)>;
  explicit LentPool(Lend lend);

  // At least `bytes` bytes, aligned to a page, with undefined contents; the pool's again when the last copy of the
  // pointer goes, which may be after the pool. Null, after a warning, when there is no room.
  std::shared_ptr<void> Take(size_t bytes);

 private:
  struct Idle;

  const Lend lend_;
  const std::shared_ptr<Idle> idle_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_LENT_POOL_H_
