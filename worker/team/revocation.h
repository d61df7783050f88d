#ifndef SYNCLINE_WORKER_TEAM_REVOCATION_H_
#define SYNCLINE_WORKER_TEAM_REVOCATION_H_

#include <atomic>
#include <cstdint>

namespace syncline {

// A zero word of lent memory, by which its owner says that what it lent may change. A process that
// was stopped may still be reading a message when the team has long gone on without it: it asks
// after the last byte, and what it has read counts only if the word was not set by then.
class Revocation {
 public:
  static constexpr size_t kBytes = sizeof(std::atomic<uint32_t>);

  explicit Revocation(const void* word) : word_(static_cast<std::atomic<uint32_t>*>(const_cast<void*>(word))) {}

  // Before the owner writes to the memory again.
  void Set() const {
    word_->exchange(1, std::memory_order_seq_cst);
  }
  // After the last byte was read.
  bool IsSet() const {
    // An x86-64 keeps loads in order; that the compiler does is left to say. ThreadSanitizer knows no fence between
    // threads.
    std::atomic_signal_fence(std::memory_order_acq_rel);
    return word_->load(std::memory_order_acquire) != 0;
  }

 private:
  std::atomic<uint32_t>* const word_;
};

static_assert(std::atomic<uint32_t>::is_always_lock_free, "it is shared between processes");

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TEAM_REVOCATION_H_
