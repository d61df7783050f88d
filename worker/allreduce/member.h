#ifndef SYNCLINE_WORKER_ALLREDUCE_MEMBER_H_
#define SYNCLINE_WORKER_ALLREDUCE_MEMBER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/codec/tensor_codecs.h"
#include "proto/job.pb.h"
#include "proto/team.pb.h"
#include "worker/allreduce/collective.h"
#include "worker/allreduce/device_team.h"
#include "worker/allreduce/gradient_sum.h"
#include "worker/client/client.h"
#include "worker/data/dataset_factory.h"
#include "worker/data/permutation.h"
#include "worker/model/network.h"
#include "worker/team/team.h"
#include "worker/train/batch_loader.h"
#include "worker/train/pull_wait.h"

namespace syncline {

// What of an all-reduce depends on who is in the team.
struct AllReduceLayout {
  std::vector<uint32_t> places;
  std::vector<std::string> hosts;  // by place; empty ones if it does not matter who is where
  size_t me = 0;                // of them
  std::vector<uint32_t> share;  // chunks
  CollectivePlan gather;
  GradientSum::Buckets sum;
};

// One process of an all-reduce. A step, on each of n processes:
//
//   pull its share of the weights (1/n) from the shards, gather the others' from the other processes; or pull all,
//   where that costs no network;
//   forward and backward of its part of the samples; meanwhile the gradients are summed, so that it has the sum of its
//   share, and pushes that, under the name of the member that all of them are.
//
// So the shards, which run the optimizer, send and get the weights and gradients once a step, not once a worker.
// Used by one thread.
class AllReduceMember {
 public:
  struct Options {
    Team* team = nullptr;
    JobManifest job;
    ClientOptions client;
    const Device* device = nullptr;
  };

  // Loads the data and builds the network.
  static absl::StatusOr<std::unique_ptr<AllReduceMember>> Create(const Options& options);
  ~AllReduceMember() { Forget(); }

  // Becomes part of a member, if it is not yet.
  absl::Status BecomeMember(Rank rank, Incarnation incarnation);
  void Forget();
  // As the leader: completes the order for a step.
  void Propose(TeamStep* step);
  // One try of a step. What this process's part came to. ABORTED if somebody of the team came or went.
  absl::StatusOr<BatchResult> Step(const TeamStep& step, const TeamAttempt& attempt);
  // A step was made: begins to pull the weights for the one after it, if that is known.
  void PullAhead(const TeamStep& step);
  // Loss and accuracy of a batch, here alone; `fresh`: with the latest weights.
  absl::StatusOr<BatchResult> Evaluate(const Batch& batch, bool fresh);

  Network* network() { return network_.get(); }
  const TrainingData& data() const { return data_; }
  TeamProgress progress() const { return progress_; }

 private:
  // Pushes under way: shared with their callbacks.
  struct Pushes;
  struct Pulling {
    std::shared_ptr<PullWait> wait;  // null: none
    Clock clock = 0;
    bool all = false;  // or this process's share

    bool of(Clock c) const { return wait != nullptr && clock == c; }
    // Waits until it has ended, however.
    void Drop() {
      if (wait != nullptr) std::exchange(wait, nullptr)->Wait().status().IgnoreError();
    }
  };

  // Whether all shards and the other processes are on this host, so that each had better pull all weights.
  bool PullsAll() const;
  absl::StatusOr<BatchResult> Try(const TeamStep& step, const TeamAttempt& attempt);
  explicit AllReduceMember(const Options& options) : options_(options) {}
  absl::Status Build();
  absl::Status LayOut(const Team::View& view);
  // Where what is sent coded is written.
  absl::Status MakeOutbox(GradientSum::Buckets* sum);
  Collective::Segments MemoryOf(const std::vector<std::vector<uint32_t>>& shares, bool gradients) const;
  void StartPull(Clock clock, bool all);
  // Weights of a step, or a pull of all of them, under way, for Compute to wait for.
  absl::Status GetWeights(const TeamStep& step, Collective* collective);
  absl::Status AwaitPull();
  absl::StatusOr<BatchResult> Compute(const TeamStep& step, const Network::GradientReady& made);
  absl::StatusOr<BatchResult> ComputeBatch(const Batch& batch, const Network::BackwardOptions& backward,
                                           const Network::GradientReady& made);

  const Options options_;
  std::unique_ptr<Network> network_;
  std::vector<float*> values_;
  // Where sums go, as the network's gradients lie. Shards on this host read them there until the next pull is answered,
  // while gradients may be computed anew by then, of other samples.
  DeviceMemory sum_memory_;
  std::vector<float*> sums_;
  std::vector<TensorCodecs> codecs_;  // by tensor
  DeviceMemory outbox_;
  TrainingData data_;
  std::optional<EpochOrder> order_;
  std::unique_ptr<BatchLoader> train_;
  TeamProgress progress_;
  std::optional<AllReduceLayout> layout_;
  std::unique_ptr<DeviceTeam> devices_;
  std::unique_ptr<Client> client_;  // goes before the network, which it may be writing to
  std::shared_ptr<Pushes> pushes_;
  // A pull under way, and one of what is not this process's share any more, which may wait for a step that is still to
  // be made. The clock whose weights are there: this process's share at least, or all of them.
  Pulling pull_, old_pull_;
  std::optional<Clock> share_there_, all_there_;
  bool gathered_ = false;  // others wrote weights since the client did
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_ALLREDUCE_MEMBER_H_
