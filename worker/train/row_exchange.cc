#include "worker/train/row_exchange.h"

#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/memory/shared_blocks.h"
#include "common/status/status_macros.h"
#include "common/time/steady_now.h"
#include "worker/client/await.h"

namespace syncline {

struct RowExchange::Pushing {
  absl::Notification done;
  absl::Status status;
};

absl::StatusOr<std::unique_ptr<RowExchange>> RowExchange::Create(Client* client, const Device* device, int max_rows,
                                                                 std::shared_ptr<BusyTime> communication) {
  // Shards on this host write rows to where they are wanted.
  SharedBlocks memory(client->job().shared_memory());
  const auto lent = [&memory](size_t bytes) { return memory.Allocate(bytes); };
  SYNCLINE_ASSIGN_OR_RETURN(auto input, SparseInput::Create(client->job(), device, max_rows, lent));
  for (const auto& block : memory.blocks()) client->Lend(block);
  return std::unique_ptr<RowExchange>(new RowExchange(client, std::move(input), std::move(communication)));
}

absl::StatusOr<const float*> RowExchange::Pull(std::optional<Clock> clock, int rows, const uint64_t* keys,
                                               const float* dense) {
  input_->Begin(rows, keys);
  std::vector<Client::RowPull> pulls;
  for (size_t t = 0; t < input_->tables(); ++t) pulls.push_back({t, input_->keys(t), input_->rows(t)});
  closed_.reset();
  SYNCLINE_ASSIGN_OR_RETURN(const auto outcome, PullRows(clock, pulls));
  if (outcome.verdict == PullReply::STEP_CLOSED) closed_ = outcome.clock;
  if (outcome.verdict != PullReply::GRANTED) return absl::AbortedError("the step's rows were not granted");
  return input_->Forward(dense);
}

absl::StatusOr<Client::PullOutcome> RowExchange::PullRows(std::optional<Clock> clock,
                                                          absl::Span<const Client::RowPull> pulls) {
  communication_->Begin(SteadyNow());
  auto outcome = Await<absl::StatusOr<Client::PullOutcome>>([&](auto done) {
    if (clock) return client_->PullRows(*clock, pulls, done);
    client_->ObserveRows(pulls, [done](const absl::Status& observed) {
      if (!observed.ok()) return done(observed);
      done(Client::PullOutcome());
    });
  });
  communication_->End(SteadyNow());
  return outcome;
}

absl::Status RowExchange::Push(Clock clock) {
  SYNCLINE_RETURN_IF_ERROR(input_->Backward());
  std::vector<Client::RowPush> pushes;
  for (size_t t = 0; t < input_->tables(); ++t) pushes.push_back({t, input_->keys(t), input_->gradient(t)});
  pushing_ = std::make_shared<Pushing>();
  communication_->Begin(SteadyNow());
  client_->PushRows(clock, pushes,
                    [pushing = pushing_, communication = communication_](const absl::Status& status) {
                      communication->End(SteadyNow());
                      pushing->status = status;
                      pushing->done.Notify();
                    });
  return absl::OkStatus();
}

absl::Status RowExchange::Wait() {
  if (pushing_ == nullptr) return absl::OkStatus();
  const std::shared_ptr<Pushing> pushing = std::move(pushing_);
  pushing->done.WaitForNotification();
  return pushing->status;
}

}  // namespace syncline
