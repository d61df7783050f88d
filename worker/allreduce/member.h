#ifndef SYNCLINE_WORKER_ALLREDUCE_MEMBER_H_
#define SYNCLINE_WORKER_ALLREDUCE_MEMBER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/memory/shared_memory.h"
#include "proto/job.pb.h"
#include "proto/team.pb.h"
#include "worker/allreduce/collective.h"
#include "worker/allreduce/segments.h"
#include "worker/client/client.h"
#include "worker/data/dataset_factory.h"
#include "worker/data/permutation.h"
#include "worker/model/network.h"
#include "worker/team/team.h"
#include "worker/train/batch_loader.h"

namespace syncline {

// One process of an all-reduce. A step, on each of n processes:
//
//   pull its segment of the weights (1/n) from the shards, gather the others' from the other processes;
//   forward and backward of its part of the samples; sum the gradients, so that it has the sum of its segment;
//   push that, under the name of the member that all of them are.
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
  void Forget() { client_.reset(); }

  // One try of a step. The loss, summed over this process's part. ABORTED if somebody of the team came or went.
  absl::StatusOr<double> Step(const TeamStep& step, const TeamAttempt& attempt);
  // Loss and accuracy of a batch, here alone; `fresh`: with the latest weights.
  absl::StatusOr<Network::Evaluation> Evaluate(const Batch& batch, bool fresh);

  Network* network() { return network_.get(); }
  const TrainingData& data() const { return data_; }
  TeamProgress progress() const { return progress_; }

 private:
  explicit AllReduceMember(const Options& options) : options_(options) {}
  absl::Status Build();
  Collective::Segments MemoryOf(const std::vector<Segment>& segments, float* (Network::*block)(size_t));
  absl::Status Pull(Clock clock, const std::vector<uint32_t>& chunks);
  absl::Status Push(Clock clock, const std::vector<uint32_t>& chunks);
  absl::StatusOr<double> Compute(const TeamStep& step, size_t part, size_t parts);

  const Options options_;
  std::shared_ptr<SharedMemory> lent_;
  std::unique_ptr<Network> network_;
  std::vector<float*> values_;
  std::vector<const float*> gradients_;
  TrainingData data_;
  std::optional<EpochOrder> order_;
  std::unique_ptr<BatchLoader> train_;
  TeamProgress progress_;
  std::unique_ptr<Client> client_;  // goes before the network, which it may be writing to
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_ALLREDUCE_MEMBER_H_
