#ifndef SYNCLINE_SERVER_SERVICE_LENT_SEGMENT_H_
#define SYNCLINE_SERVER_SERVICE_LENT_SEGMENT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/memory/shared_memory.h"
#include "common/tensor/fragments.h"
#include "common/threads/parallel_for.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// A block of a worker's memory as the shard sees it: gradients are read from it, weights written to
// it. The worker goes on using the block, so a write must not come after the worker has given up
// waiting for it and has asked again: each place remembers the latest attempt it has heard of, and
// earlier ones write nothing.
//
// Thread-safe. Shared: it lives as long as somebody reads a gradient in it.
class LentSegment : public std::enable_shared_from_this<LentSegment> {
 public:
  // Lent by this rank and incarnation of `lender`.
  LentSegment(std::shared_ptr<const SharedMemory> memory, const Sender& lender)
      : memory_(std::move(memory)), rank_(lender.rank()), incarnation_(lender.incarnation()) {}

  // PERMISSION_DENIED unless `sender` lent it.
  absl::Status CheckLender(const Sender& sender) const;

  // The bytes of a gradient, where they lie. INVALID_ARGUMENT outside the block or off a float.
  absl::StatusOr<Fragments> Read(uint64_t offset, size_t bytes);

  // A place to write to, by where it begins. Before any Write of `attempt` to it.
  void Begin(uint64_t place, uint64_t attempt);
  struct Part {
    uint64_t offset = 0;
    Fragments data;
  };
  // Copies all parts to their offsets. CANCELLED, and nothing is written, once a later attempt for
  // this place has begun; INVALID_ARGUMENT as in Read.
  // Large ones are spread over threads by `parallel_for`, which may be null.
  absl::Status Write(uint64_t place, uint64_t attempt, const std::vector<Part>& parts,
                     const ParallelFor& parallel_for);

 private:
  struct Place {
    absl::Mutex mu;
    uint64_t latest ABSL_GUARDED_BY(mu) = 0;
  };

  absl::StatusOr<char*> At(uint64_t offset, size_t bytes) const;
  Place* Find(uint64_t place);

  const std::shared_ptr<const SharedMemory> memory_;
  const uint32_t rank_;
  const uint64_t incarnation_;
  absl::Mutex mu_;
  std::map<uint64_t, Place> places_ ABSL_GUARDED_BY(mu_);
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SERVICE_LENT_SEGMENT_H_
