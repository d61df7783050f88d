#ifndef SYNCLINE_WORKER_ALLREDUCE_GRADIENT_SUM_H_
#define SYNCLINE_WORKER_ALLREDUCE_GRADIENT_SUM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "worker/allreduce/collective.h"

namespace syncline {

// The gradients of a step, summed among the processes while backward makes them: those of a bucket are sent when the
// last of them is there, and added when others of the network's are, by the thread that computes. One that only
// adds would have to be woken up, and takes a core from whoever computes. Used by one thread.
class GradientSum {
 public:
  struct Bucket {
    size_t parameters = 0;        // of the network
    std::vector<uint32_t> chunks;  // those that this process sums
    CollectivePlan plan;
  };
  struct Buckets {
    std::vector<Bucket> buckets;    // in the order they are made
    std::vector<size_t> bucket_of;  // by parameter
  };
  // Some chunks are summed.
  using Summed = std::function<void(const std::vector<uint32_t>& chunks)>;

  // What is given outlives the sum.
  GradientSum(const Buckets* buckets, Collective* collective, Summed summed)
      : buckets_(*buckets), collective_(collective), summed_(std::move(summed)), made_(buckets->buckets.size()) {}

  // The gradient of a parameter is there. Adds what has come from the others, and does not wait. Errors as Collective.
  absl::Status Made(size_t parameter);
  // All were made: adds up the rest.
  absl::Status Finish();

 private:
  absl::Status Advance();

  const Buckets& buckets_;
  Collective* const collective_;
  const Summed summed_;
  std::vector<size_t> made_;  // parameters, by bucket
  std::vector<Collective::Going> going_;  // by bucket, of those that have begun
  size_t ended_ = 0;  // buckets, in order
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_ALLREDUCE_GRADIENT_SUM_H_
