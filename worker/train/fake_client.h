#ifndef SYNCLINE_WORKER_TRAIN_FAKE_CLIENT_H_
#define SYNCLINE_WORKER_TRAIN_FAKE_CLIENT_H_

#include <deque>
#include <map>
#include <vector>

#include "worker/client/client.h"

namespace syncline {

// A cluster of one worker that lives in memory, for tests of what drives a client: it answers at
// once, as a script tells it, and writes down what it was asked. Weights are all `weight`.
class FakeClient final : public Client {
 public:
  struct PushCall {
    Clock clock = 0;
    std::vector<size_t> tensors;
  };
  struct RowPushCall {
    Clock clock = 0;
    size_t table = 0;
    std::vector<uint64_t> keys;
    std::vector<float> gradients;
  };
  struct CommitCall {
    Clock clock = 0;
    uint64_t samples = 0;
  };

  // `sizes`: elements of each tensor.
  FakeClient(JobManifest job, std::vector<size_t> sizes)
      : job_(std::move(job)), sizes_(std::move(sizes)) {}

  // The script: answers to Lease in order (then `finished`); outcomes of pulls by clock (then
  // granted), each used once; how pushes end.
  std::deque<LeaseReply> leases;
  std::map<Clock, PullOutcome> outcomes;
  absl::Status push_status;
  float weight = 0.1f;
  // Outcomes of pulls of rows by clock (then granted). Rows are all their key.
  std::map<Clock, PullOutcome> row_outcomes;

  // What happened.
  std::vector<Clock> asked_from;
  std::vector<Clock> pulls;
  std::vector<PushCall> pushes;
  std::vector<CommitCall> commits;
  std::vector<RowPushCall> row_pushes;
  // The latest gradient of each tensor.
  std::map<size_t, std::vector<float>> gradients;
  std::vector<Clock> left_at;
  WorkerProgress last_progress;

  Rank rank() const override { return 0; }
  Incarnation incarnation() const override { return 1; }
  const JobManifest& job() const override { return job_; }
  absl::Status CreateTensors(absl::Span<const TensorSpec>) override { return absl::OkStatus(); }
  void Lend(std::shared_ptr<const SharedMemory>) override {}
  int shards_on_this_host() const override { return 0; }
  void Pull(Clock clock, const Destination& to, PullDone done) override;
  void Observe(const Destination& to, Done done) override;
  void Push(Clock clock, absl::Span<const Gradient> gradients, Done done) override;
  void Commit(Clock clock, uint64_t samples, const std::vector<Rank>& contributors,
              CommitDone done) override;
  void PushPull(const StepEnd& step, absl::Span<const Gradient> gradients, const Destination& to,
                PullDone done) override;
  void PullRows(Clock clock, absl::Span<const RowPull> rows, PullDone done) override;
  void ObserveRows(absl::Span<const RowPull> rows, Done done) override;
  void PushRows(Clock clock, absl::Span<const RowPush> rows, Done done) override;
  absl::StatusOr<LeaseReply> Lease(uint64_t samples, Clock from_clock, Clock committed) override;
  void Report(const WorkerProgress& progress) override { last_progress = progress; }
  bool expelled() const override { return false; }
  bool stopping() const override { return false; }
  absl::Status Leave(Clock clock, const WorkerProgress& progress) override;

 private:
  size_t dim(size_t table) const { return job_.tables(static_cast<int>(table)).dim(); }

  const JobManifest job_;
  const std::vector<size_t> sizes_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TRAIN_FAKE_CLIENT_H_
