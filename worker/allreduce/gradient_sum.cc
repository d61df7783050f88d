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
  return Advance(/*wait=*/false);
}

absl::Status GradientSum::Finish() { return Advance(/*wait=*/true); }

absl::Status GradientSum::Advance(bool wait) {
  for (; ended_ < going_.size(); ++ended_) {
    SYNCLINE_RETURN_IF_ERROR(collective_->Advance(&going_[ended_], wait));
    if (!going_[ended_].ended()) break;
    summed_(buckets_.buckets[ended_].chunks);
  }
  return absl::OkStatus();
}

}  // namespace syncline
