#ifndef SYNCLINE_WORKER_TENSOR_MEMBER_H_
#define SYNCLINE_WORKER_TENSOR_MEMBER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/cluster/ids.h"
#include "common/cluster/stage_layout.h"
#include "proto/job.pb.h"
#include "proto/team.pb.h"
#include "worker/client/client.h"
#include "worker/data/dataset_factory.h"
#include "worker/data/permutation.h"
#include "worker/model/network.h"
#include "worker/pipeline/stage.h"
#include "worker/team/follower.h"
#include "worker/team/team.h"
#include "worker/tensor/group_exchange.h"
#include "worker/tensor/weight_exchange.h"
#include "worker/train/batch_loader.h"

namespace syncline {

// One of the processes that share a stage of a model (tensor parallelism, Shoeybi et al. 2019), which may be all of
// the model. A step, on each of T processes:
//
//   pull its segment of the stage's weights (1/T) from the shards, and exchange it for its slices;
//   forward and backward with these, and sums or gathers of activations with the others in between;
//   exchange the gradients of its slices for those of its segment, and push these, as the member that all of them are.
//
// So shards hold whole tensors, and send and get each weight once a replica. Used by one thread.
class TensorMember final : public TeamPart {
 public:
  struct Options {
    Team* team = nullptr;
    JobManifest job;
    ClientOptions client;
    const Device* device = nullptr;
    absl::Duration step_delay;
  };
  // For the team's present place of this process.
  explicit TensorMember(const Options& options);
  ~TensorMember() override { Forget(); }  // the client may be writing to the network

  // Builds this place's part of the model, whose stages have these layers ("0-3, 4-7"), unless it is there.
  absl::Status Build(const std::string& layers);
  absl::Status BecomeMember(Rank rank, Incarnation incarnation);

  absl::Status Prepare(const TeamStep& step) override;
  absl::Status Step(const TeamStep& step, const TeamAttempt& attempt, BatchResult* result) override;
  absl::Status Evaluate(const TeamStep& step, const TeamAttempt& attempt, BatchResult* result) override;
  void Forget() override { client_.reset(); }

  Network* network() { return network_.get(); }
  const TrainingData& data() const { return data_; }

 private:
  // Whether it looks at samples: at features on the first stage, at labels on the last.
  bool loads() const { return stage_->first() || stage_->last(); }
  absl::Status BuildNetwork(const LayerRange& layers);
  absl::Status LoadData();
  absl::StatusOr<Batch> Load(BatchLoader* loader, absl::Span<const uint32_t> samples, const TeamStep& step);
  absl::Status Pull(Clock clock);
  absl::Status Push(Clock clock);
  absl::Status Observe();
  void Report();

  const Options options_;
  const int parts_;
  const int place_;
  std::string layers_;
  std::unique_ptr<GroupExchange> group_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<WeightExchange> weights_;
  std::unique_ptr<PipelineStage> stage_;
  // Of each parameter, where its memory begins, and where all of its tensor would.
  std::vector<float*> values_, gradients_, pulled_;
  std::vector<const float*> pushed_;
  TrainingData data_;
  std::optional<EpochOrder> order_;
  std::unique_ptr<BatchLoader> train_, test_;
  std::vector<uint32_t> own_chunks_;  // what this process pulls and pushes
  double seconds_ = 0;  // in steps
  std::unique_ptr<Client> client_;  // goes before the network, which it may be writing to
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TENSOR_MEMBER_H_
