// Trains a model that Syncline does not ship, with the client library alone: a 60 x 40 matrix is
// taken apart into two factors of rank 4 (Koren, Bell and Volinsky 2009). docs/client.md walks
// through it. Run it as often as the job has workers:
//
//   syncline-coordinator --job=docs/examples/matrix_factorization.yaml --listen=127.0.0.1:7000 &
//   syncline-ps --coordinator=127.0.0.1:7000 &
//   matrix_factorization --coordinator=127.0.0.1:7000

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/status/status_macros.h"
#include "worker/client/client.h"

ABSL_FLAG(std::string, coordinator, "", "host:port of the coordinator.");

namespace {

using syncline::Client;
using syncline::StepLease;

constexpr int kRows = 60, kColumns = 40, kRank = 4;
constexpr uint64_t kSamples = kRows * kColumns;  // sample s: element (s / kColumns, s % kColumns)

// The matrix to be found again: of rank 2, so that it can be.
float Target(uint64_t sample) {
  const int row = static_cast<int>(sample / kColumns), column = static_cast<int>(sample % kColumns);
  return std::sin(0.1f * row) * std::cos(0.2f * column) + 0.01f * row * std::sin(0.1f * column);
}

struct Factors {
  std::vector<float> rows = std::vector<float>(kRows * kRank);
  std::vector<float> columns = std::vector<float>(kColumns * kRank);
};

// The mean squared error's gradient over a step's samples. Positions are taken as samples, without
// a shuffle. Returns the squared errors' sum.
double Gradient(const Factors& weights, const StepLease& step, Factors* gradient) {
  *gradient = Factors();
  double loss = 0;
  for (uint64_t s = step.begin(); s < step.begin() + step.count(); ++s) {
    const float* row = &weights.rows[s / kColumns * kRank];
    const float* column = &weights.columns[s % kColumns * kRank];
    float error = -Target(s);
    for (int k = 0; k < kRank; ++k) error += row[k] * column[k];
    loss += error * error;
    const float slope = 2 * error / static_cast<float>(step.count());
    for (int k = 0; k < kRank; ++k) {
      gradient->rows[s / kColumns * kRank + k] += slope * column[k];
      gradient->columns[s % kColumns * kRank + k] += slope * row[k];
    }
  }
  return loss;
}

std::vector<syncline::TensorSpec> Tensors() {
  std::vector<syncline::TensorSpec> tensors(2);
  const int sizes[] = {kRows, kColumns};
  for (int i = 0; i < 2; ++i) {
    tensors[i].set_name(i == 0 ? "rows" : "columns");
    tensors[i].add_shape(sizes[i]);
    tensors[i].add_shape(kRank);
    tensors[i].mutable_initializer()->set_kind(syncline::Initializer::NORMAL);
    tensors[i].mutable_initializer()->set_b(0.3f);
  }
  return tensors;
}

// Blocks until a call of the client has answered.
template <typename Result, typename Begin>
Result Wait(const Begin& begin) {
  absl::Notification done;
  Result result = absl::UnknownError("no answer");
  begin([&](Result answer) {
    result = std::move(answer);
    done.Notify();
  });
  done.WaitForNotification();
  return result;
}

absl::Status Train(Client* client) {
  SYNCLINE_RETURN_IF_ERROR(client->CreateTensors(Tensors()));
  Factors weights, gradient;
  float* const to[] = {weights.rows.data(), weights.columns.data()};
  const Client::Gradient from[] = {{0, gradient.rows.data()}, {1, gradient.columns.data()}};
  syncline::WorkerProgress progress;
  uint64_t clock = 0;
  bool pulled = false;
  while (true) {
    SYNCLINE_ASSIGN_OR_RETURN(const auto lease, client->Lease(kSamples, clock, clock));
    if (lease.finished()) break;
    if (lease.steps().empty()) absl::SleepFor(absl::Milliseconds(20));
    for (const StepLease& step : lease.steps()) {
      if (!pulled) {
        SYNCLINE_RETURN_IF_ERROR(Wait<absl::StatusOr<Client::PullOutcome>>([&](auto done) {
                                   client->Pull(step.clock(), {to}, done);
                                 }).status());
      }
      Factors made;
      progress.set_loss_sum(progress.loss_sum() + Gradient(weights, step, &made));
      // Copied in place: `from` stays valid while the pushes are under way.
      std::copy(made.rows.begin(), made.rows.end(), gradient.rows.begin());
      std::copy(made.columns.begin(), made.columns.end(), gradient.columns.begin());
      const auto outcome = Wait<absl::StatusOr<Client::PullOutcome>>([&](auto done) {
        client->PushPull({step.clock(), step.count(),
                          {step.contributors().begin(), step.contributors().end()},
                          step.clock() + 1},
                         from, {to, nullptr, true}, done);
      });
      SYNCLINE_RETURN_IF_ERROR(outcome.status());
      pulled = true;
      clock = step.clock() + 1;
      progress.set_clock(clock);
      progress.set_samples(progress.samples() + step.count());
      client->Report(progress);
    }
  }
  double error = 0;
  SYNCLINE_RETURN_IF_ERROR(
      Wait<absl::Status>([&](auto done) { client->Observe({to}, std::move(done)); }));
  StepLease all;
  all.set_count(kSamples);
  error = Gradient(weights, all, &gradient) / kSamples;
  std::printf("rank %u: mean squared error %.6f after %lu steps\n", client->rank(), error,
              static_cast<unsigned long>(clock));
  return client->Leave(clock, progress);
}

}  // namespace

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  syncline::ClientOptions options;
  options.coordinator = absl::GetFlag(FLAGS_coordinator);
  auto client = Client::Connect(options);
  const absl::Status status = client.ok() ? Train(client->get()) : client.status();
  if (status.ok()) return 0;
  std::fprintf(stderr, "matrix_factorization: %s\n", std::string(status.message()).c_str());
  return 1;
}
