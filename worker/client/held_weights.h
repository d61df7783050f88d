#ifndef SYNCLINE_WORKER_CLIENT_HELD_WEIGHTS_H_
#define SYNCLINE_WORKER_CLIENT_HELD_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/synchronization/mutex.h"

namespace syncline {

// Which weights lie where in a worker's memory, so that a pull fetches only what has changed since.
// Thread-safe.
class HeldWeights {
 public:
  struct Held {
    const void* place = nullptr;  // null: nothing is known
    uint64_t version = 0;
    uint64_t life = 0;  // of the shard that gave it the version
  };

  explicit HeldWeights(size_t chunks) : held_(chunks) {}

  // What is known to lie at `place`.
  Held At(uint32_t chunk, const void* place) const {
    absl::MutexLock lock(&mu_);
    return held_[chunk].place == place ? held_[chunk] : Held();
  }
  // Of a chunk the last place alone is kept.
  void Note(uint32_t chunk, const Held& held) {
    absl::MutexLock lock(&mu_);
    held_[chunk] = held;
  }

 private:
  mutable absl::Mutex mu_;
  std::vector<Held> held_ ABSL_GUARDED_BY(mu_);
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_HELD_WEIGHTS_H_
