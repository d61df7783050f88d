#include "worker/allreduce/gradient_sum.h"

#include "common/status/status_macros.h"

namespace syncline {

absl::Status GradientSum::Made(size_t parameter) {
  ++made_[buckets_.bucket_of[parameter]];
  // All processes begin them in one order.
  for (size_t b = going_.size(); b < made_.size() && made_[b] == buckets_.buckets[b].parameters; ++b) {
    SYNCLINE_ASSIGN_OR_RETURN(auto going, collective_->Begin(TeamMessage::REDUCE, buckets_.buckets[b].plan));
    going_.push_back(going);
  }
  return Advance();
}

absl::Status GradientSum::Finish() {
  while (ended_ < going_.size()) {
    SYNCLINE_RETURN_IF_ERROR(collective_->Advance(&going_[ended_], /*wait=*/true));
    SYNCLINE_RETURN_IF_ERROR(Advance());
  }
  return absl::OkStatus();
}

// Others may wait for what this process passes on of a later bucket.
absl::Status GradientSum::Advance() {
  for (size_t b = ended_; b < going_.size(); ++b) {
    SYNCLINE_RETURN_IF_ERROR(collective_->Advance(&going_[b], /*wait=*/false));
  }
  for (; ended_ < going_.size() && going_[ended_].ended(); ++ended_) summed_(buckets_.buckets[ended_].chunks);
  return absl::OkStatus();
}

}  // namespace syncline
