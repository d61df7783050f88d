#include "worker/allreduce/work.h"

#include "absl/time/clock.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

class Leader final : public TeamWork {
 public:
  Leader(TeamLeader* others, AllReduceMember* member, Client* client)
      : others_(others), member_(member), client_(client) {}

  bool moves_tensors() const override { return true; }

  absl::StatusOr<BatchResult> Step(const StepLease& lease, std::optional<Clock> next, const Batch&,
                                   const Network::AwaitValues&, const Network::GradientReady&) override {
    SYNCLINE_RETURN_IF_ERROR(member_->BecomeMember(client_->rank(), client_->incarnation()));
    TeamStep step = StepOf(lease);
    if (next) step.set_next_clock(*next);
    member_->Propose(&step);
    SYNCLINE_ASSIGN_OR_RETURN(const TeamAttempt attempt, others_->Begin(TeamMessage::STEP, step));
    // With redo every step has the samples that it would have had.
    if (client_->job().on_worker_loss() == DROP) client_->SetProcesses(others_->processes());
    SYNCLINE_ASSIGN_OR_RETURN(BatchResult result, member_->Step(step, attempt));
    SYNCLINE_ASSIGN_OR_RETURN(const BatchResult others, others_->AwaitOthers());
    member_->PullAhead(step);
    result += others;
    return result;
  }

  absl::StatusOr<BatchResult> Evaluate(uint64_t, const Batch& batch, bool fresh) override {
    SYNCLINE_RETURN_IF_ERROR(member_->BecomeMember(client_->rank(), client_->incarnation()));
    return member_->Evaluate(batch, fresh);
  }

 private:
  TeamLeader* const others_;
  AllReduceMember* const member_;
  Client* const client_;
};

class Follower final : public TeamPart {
 public:
  Follower(AllReduceMember* member, absl::Duration step_delay) : member_(member), step_delay_(step_delay) {}

  absl::Status Prepare(const TeamStep& step) override {
    return member_->BecomeMember(static_cast<Rank>(step.rank()), step.incarnation());
  }
  absl::Status Step(const TeamStep& step, const TeamAttempt& attempt, BatchResult* result) override {
    if (step_delay_ > absl::ZeroDuration()) absl::SleepFor(step_delay_);
    SYNCLINE_ASSIGN_OR_RETURN(*result, member_->Step(step, attempt));
    return absl::OkStatus();
  }
  absl::Status Evaluate(const TeamStep&, const TeamAttempt&, BatchResult*) override {
    return absl::UnimplementedError("whoever leads has the whole model, and measures it alone");
  }
  void Told(const TeamStep& step) override { member_->PullAhead(step); }
  void Forget() override { member_->Forget(); }

 private:
  AllReduceMember* const member_;
  const absl::Duration step_delay_;
};

}  // namespace

std::unique_ptr<TeamWork> MakeAllReduceLeader(TeamLeader* others, AllReduceMember* member, Client* client) {
  return std::make_unique<Leader>(others, member, client);
}

std::unique_ptr<TeamPart> MakeAllReduceFollower(AllReduceMember* member, absl::Duration step_delay) {
  return std::make_unique<Follower>(member, step_delay);
}

}  // namespace syncline
