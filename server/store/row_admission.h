#ifndef SYNCLINE_SERVER_STORE_ROW_ADMISSION_H_
#define SYNCLINE_SERVER_STORE_ROW_ADMISSION_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "common/tensor/buffer.h"
#include "common/tensor/fragments.h"

namespace syncline {

// Which keys of a slot get a row at all. Both rules may be set; then a key needs to pass both.
struct AdmissionPolicy {
  // A row is stored when its key is pushed for the min_count-th time (1 to 255); 1: at once.
  uint32_t min_count = 1;
  // The share of all keys that get a row, chosen by hash; above 0, to 1.
  double probability = 1;
  // Bytes to count in, of a slot: eight for each key that waits at a time, so that few are taken
  // for others. Rounded up to a power of two, 64 at least.
  size_t counters = size_t{1} << 16;
};

// Decides for one slot, and counts the pushes of keys that have no row yet. Pushes that are refused
// are lost.
//
// Counts are a count-min sketch (Cormode and Muthukrishnan 2005) with conservative update: four
// counters a key, in one cache line, whose least is its count. So a key is let in early if others
// share its counters. Each time as many pushes were refused as an eighth of the counters, all are
// halved, or keys that come once each would fill any number of them in time (TinyLFU, arXiv
// 1512.00727): a key whose pushes lie further apart than that may be late. A function of the pushes
// in their order; with another number of slots keys share counters with others.
//
// Not thread-safe.
class KeyAdmission {
 public:
  explicit KeyAdmission(const AdmissionPolicy& policy);

  // Whether this push of a key without a row stores one.
  bool Admit(uint64_t key);

  // Refused pushes of all time.
  uint64_t refused() const { return refused_; }

  // The counts, to travel with a snapshot of the slot: shared copy-on-write. The last 8 bytes are how many pushes were
  // counted in all, so counts that have gone different ways since one State() differ in them as soon as in anything.
  // Empty where nothing is counted.
  Fragments State() const;
  // INVALID_ARGUMENT, and nothing changes, if they are of another policy.
  absl::Status Restore(const Fragments& state);

 private:
  bool Count(uint64_t key);
  void Age();
  size_t counters() const { return state_.size() - sizeof(uint64_t); }
  // To be written to: not what a State() still shows.
  uint8_t* Counters();

  const uint32_t min_count_;
  const double probability_;
  // The counters, and how many pushes were counted. No block if min_count is 1.
  Buffer state_;
  uint64_t counted_ = 0;
  uint64_t refused_ = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_ROW_ADMISSION_H_
