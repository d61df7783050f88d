#include "worker/train/fake_client.h"

#include <algorithm>

namespace syncline {

void FakeClient::Pull(Clock clock, const Destination& to, PullDone done) {
  pulls.push_back(clock);
  PullOutcome outcome;
  outcome.clock = clock;
  if (const auto scripted = outcomes.find(clock); scripted != outcomes.end()) {
    outcome = scripted->second;
    outcomes.erase(scripted);
  }
  if (outcome.verdict == PullReply::GRANTED) {
    for (size_t t = 0; t < to.tensors.size(); ++t) {
      std::fill_n(to.tensors[t], sizes_[t], weight);
      if (to.ready) to.ready(t);
    }
  }
  done(outcome);
}

void FakeClient::Observe(const Destination& to, Done done) {
  for (size_t t = 0; t < to.tensors.size(); ++t) std::fill_n(to.tensors[t], sizes_[t], weight);
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

void FakeClient::PushPull(const StepEnd& step, absl::Span<const Gradient> some,
                          const Destination& to, PullDone done) {
  absl::Status pushed;
  if (!some.empty()) Push(step.clock, some, [&](absl::Status status) { pushed = status; });
  if (!pushed.ok()) return done(pushed);
  Commit(step.clock, step.samples, step.contributors, [](const auto&) {});
  Pull(step.next, to, std::move(done));
}

void FakeClient::PullRows(Clock clock, absl::Span<const RowPull> rows, PullDone done) {
  PullOutcome outcome;
  outcome.clock = clock;
  if (const auto scripted = row_outcomes.find(clock); scripted != row_outcomes.end()) outcome = scripted->second;
  if (outcome.verdict != PullReply::GRANTED) return done(outcome);
  ObserveRows(rows, [&](const absl::Status&) { done(outcome); });
}

void FakeClient::ObserveRows(absl::Span<const RowPull> rows, Done done) {
  for (const RowPull& pull : rows) {
    for (size_t i = 0; i < pull.keys.size(); ++i) {
      std::fill_n(pull.to + i * dim(pull.table), dim(pull.table), static_cast<float>(pull.keys[i]));
    }
  }
  done(absl::OkStatus());
}

void FakeClient::PushRows(Clock clock, absl::Span<const RowPush> rows, Done done) {
  for (const RowPush& push : rows) {
    row_pushes.push_back({clock,
                          push.table,
                          {push.keys.begin(), push.keys.end()},
                          {push.gradients, push.gradients + push.keys.size() * dim(push.table)}});
  }
  done(push_status);
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
