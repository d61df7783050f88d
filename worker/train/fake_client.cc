#include "worker/train/fake_client.h"

#include <algorithm>

namespace syncline {

void FakeClient::Pull(Clock clock, absl::Span<float* const> to, TensorReady ready, PullDone done) {
  pulls.push_back(clock);
  PullOutcome outcome;
  outcome.clock = clock;
  if (const auto scripted = outcomes.find(clock); scripted != outcomes.end()) {
    outcome = scripted->second;
    outcomes.erase(scripted);
  }
  if (outcome.verdict == PullReply::GRANTED) {
    for (size_t t = 0; t < to.size(); ++t) {
      std::fill_n(to[t], sizes_[t], weight);
      if (ready) ready(t);
    }
  }
  done(outcome);
}

void FakeClient::Observe(absl::Span<float* const> to, Done done) {
  for (size_t t = 0; t < to.size(); ++t) std::fill_n(to[t], sizes_[t], weight);
  done(absl::OkStatus());
}

void FakeClient::Push(Clock clock, absl::Span<const Gradient> some, Done done) {
  PushCall call;
  call.clock = clock;
  for (const Gradient& gradient : some) {
    call.tensors.push_back(gradient.tensor);
    gradients[gradient.tensor].assign(gradient.data, gradient.data + sizes_[gradient.tensor]);
  }
  pushes.push_back(call);
  done(push_status);
}

void FakeClient::Commit(Clock clock, uint64_t samples, const std::vector<Rank>&, CommitDone done) {
  commits.push_back({clock, samples});
  done(true);
}

void FakeClient::PushPull(Clock, absl::Span<const float* const>, uint64_t, const std::vector<Rank>&,
                          absl::Span<float* const>, PullDone done) {
  done(absl::UnimplementedError("the trainer does not use it"));
}

absl::StatusOr<LeaseReply> FakeClient::Lease(uint64_t, Clock from_clock, Clock) {
  asked_from.push_back(from_clock);
  LeaseReply reply;
  if (leases.empty()) {
    reply.set_finished(true);
    reply.set_evaluate(true);
    return reply;
  }
  reply = leases.front();
  leases.pop_front();
  return reply;
}

absl::Status FakeClient::Leave(Clock clock, const WorkerProgress& progress) {
  left_at.push_back(clock);
  last_progress = progress;
  return absl::OkStatus();
}

}  // namespace syncline
