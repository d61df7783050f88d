#ifndef SYNCLINE_WORKER_TRAIN_TRAINER_H_
#define SYNCLINE_WORKER_TRAIN_TRAINER_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/coordinator.pb.h"
#include "worker/client/client.h"
#include "worker/data/dataset_factory.h"
#include "worker/data/permutation.h"
#include "worker/local/host_sum.h"
#include "worker/model/held_out.h"
#include "worker/model/network.h"
#include "worker/train/batch_loader.h"
#include "worker/train/busy_time.h"
#include "worker/train/local_stepper.h"
#include "worker/train/pull_wait.h"
#include "worker/train/push_queue.h"
#include "worker/train/row_exchange.h"
#include "worker/train/step_source.h"
#include "worker/train/team_work.h"

namespace syncline {

// Trains a network with a cluster: the same loop in every sync mode.
//
// A step: the pull of its weights is under way since the last step ended; forward takes each layer's
// weights as they come; backward pushes each gradient as it is made, the last layer's first; what it
// makes last goes out when those are acknowledged, together with the commit and the next pull. With local_steps
// above 1 it does the first with the pulled weights and goes on with its own, and pushes in the end how
// they have changed.
//
// Not thread-safe; Run blocks. Everything named in Options outlives the trainer, and the network
// outlives the client, which may write weights into it until it is gone.
class Trainer {
 public:
  struct Options {
    Client* client = nullptr;
    Network* network = nullptr;
    const Device* device = nullptr;
    // local_aggregation: the other processes of this host; otherwise null.
    HostSum* host = nullptr;
    // A member of several processes, or one that adds up micro-batches; otherwise null.
    TeamWork* team = nullptr;
    TrainingData data;
    // Asked between steps: true ends the run in good order.
    std::function<bool()> stop;
    // Waited before each step, to see what a slow worker does to others.
    absl::Duration step_delay;
    // Told after each step; may be null.
    std::function<void(const WorkerProgress&)> report;
  };

  static absl::StatusOr<std::unique_ptr<Trainer>> Create(Options options);

  // Steps until the leases end or `stop`, then the evaluation if it is this worker's, then leaves
  // the cluster. An error ends the run without leaving.
  absl::Status Run();

  const WorkerProgress& progress() const { return progress_; }
  // The leases ended: no other worker has anything left to do either, once theirs are made.
  bool finished() const { return source_.finished(); }

 private:
  // What became of a step that was tried.
  enum class Outcome { kDone, kClosed, kStopped };

  explicit Trainer(Options options);
  absl::StatusOr<Outcome> RunStep(const StepLease& step);
  absl::StatusOr<Outcome> WaitForPull();
  absl::Status Compute(const StepLease& step);
  absl::Status ComputeTogether(const StepLease& step);
  absl::Status ComputeHere(const StepLease& step);
  absl::Status ComputeAlone(const StepLease& step);
  absl::Status ComputeInTeam(const StepLease& step);
  absl::StatusOr<Batch> Load(const StepLease& step, uint64_t first, uint64_t count);
  absl::Status Forward(const Batch& batch);
  absl::Status AwaitValues(size_t first, size_t count);
  absl::Status AddResult();
  void Add(const BatchResult& result);
  absl::Status PushClipped(Clock clock);
  absl::Status WaitForPushes();
  // Ends a step that was computed, and begins the pull for the next one if that is known.
  absl::Status EndStep(const StepLease& step);
  absl::Status Commit(const StepLease& step);
  void StartPull(Clock clock);
  // A pull of `clock` is under way from now on. What to give to the client for it:
  Client::PullDone BeginPull(Clock clock);
  Client::Destination Destination() const;
  Client::TensorReady Ready() const;
  // What is carried from step to step besides the weights, for a checkpoint or whoever comes next.
  absl::Status TakeOverState();
  absl::Status HandInStateIfWanted(const StepLease& step);
  absl::Status HandInState(Clock clock, bool leaving);
  Client::OwnState OwnState() const;
  absl::Status Evaluate();
  absl::StatusOr<BatchResult> Measure(uint64_t begin, const Batch& batch);
  // Adds the logits of what was measured last.
  absl::Status AddScores(const Batch& batch, BinaryScores* scores) const;
  absl::Status AddTrainingScores(const Batch& batch);
  void Report(const StepLease& step);
  void NoteTime();

  const Options options_;
  const JobManifest job_;
  // clip_norm where no shard can do it: pushes wait for the whole gradient.
  const bool clips_;
  const bool classifies_;
  EpochOrder order_;
  StepSource source_;
  std::unique_ptr<BatchLoader> train_, test_;
  std::unique_ptr<LocalStepper> stepper_;  // local_steps above 1
  std::unique_ptr<RowExchange> rows_;      // a job with tables
  std::vector<float*> values_;  // the network's, by parameter
  std::shared_ptr<PullWait> pull_;
  Clock pulling_ = 0;
  bool commits_ = false;  // the last step's commit goes with the pull
  double waited_ = 0;  // seconds for weights, in this step's computation
  const std::shared_ptr<BusyTime> communication_;  // with the shards
  PushQueue pushes_;
  std::vector<std::vector<float>> clipped_;
  WorkerProgress progress_;
  BinaryScores train_scores_;  // since the last AUC
  absl::Time begun_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TRAIN_TRAINER_H_
