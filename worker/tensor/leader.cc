#include "worker/tensor/leader.h"

#include <utility>

#include "common/status/status_macros.h"

namespace syncline {
namespace {

class Leader final : public TeamWork {
 public:
  Leader(TeamLeader* others, TensorMember* member, Client* client, std::string layers)
      : others_(others), member_(member), client_(client), layers_(std::move(layers)) {}

  bool moves_tensors() const override { return true; }

  absl::StatusOr<BatchResult> Step(const StepLease& lease, std::optional<Clock>, const Batch&,
                                   const Network::AwaitValues&, const Network::GradientReady&) override {
    return Make(TeamMessage::STEP, StepOf(lease));
  }

  absl::StatusOr<BatchResult> Evaluate(uint64_t begin, const Batch& batch, bool fresh) override {
    TeamStep step;
    step.set_begin(begin);
    step.set_count(static_cast<uint32_t>(batch.rows));
    step.set_fresh(fresh);
    return Make(TeamMessage::EVALUATE, std::move(step));
  }

 private:
  // By all processes, this one among them.
  absl::StatusOr<BatchResult> Make(TeamMessage::Kind kind, TeamStep step) {
    step.set_layers(layers_);
    SYNCLINE_ASSIGN_OR_RETURN(const TeamAttempt attempt, others_->Begin(kind, step));
    SYNCLINE_RETURN_IF_ERROR(member_->BecomeMember(client_->rank(), client_->incarnation()));
    BatchResult own;
    SYNCLINE_RETURN_IF_ERROR(kind == TeamMessage::STEP ? member_->Step(step, attempt, &own)
                                                       : member_->Evaluate(step, attempt, &own));
    SYNCLINE_ASSIGN_OR_RETURN(const BatchResult others, others_->AwaitOthers());
    own += others;
    return own;
  }

  TeamLeader* const others_;
  TensorMember* const member_;
  Client* const client_;
  const std::string layers_;
};

}  // namespace

std::unique_ptr<TeamWork> MakeTensorLeader(TeamLeader* others, TensorMember* member, Client* client,
                                           const std::string& layers) {
  return std::make_unique<Leader>(others, member, client, layers);
}

}  // namespace syncline
