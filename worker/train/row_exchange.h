#ifndef SYNCLINE_WORKER_TRAIN_ROW_EXCHANGE_H_
#define SYNCLINE_WORKER_TRAIN_ROW_EXCHANGE_H_

#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/cluster/ids.h"
#include "proto/job.pb.h"
#include "worker/client/client.h"
#include "worker/model/sparse_input.h"
#include "worker/train/busy_time.h"

namespace syncline {

// The rows of tables that a trainer's batches need: pulled before a batch is computed on, and their gradients pushed
// after. Used by one thread.
class RowExchange {
 public:
  // `client` and `device` must outlive it. Batches have at most `max_rows` rows; `communication` is told when
  // anything is under way.
  static absl::StatusOr<std::unique_ptr<RowExchange>> Create(Client* client, const Device* device, int max_rows,
                                                             std::shared_ptr<BusyTime> communication);

  // Columns of the features that it makes.
  size_t width() const { return input_->width(); }

  // Pulls the rows under `keys`, [rows, fields], for step `clock`; without a clock the latest ones. Returns the
  // batch's features in device memory, `dense` among them, until the next call. ABORTED if the step is not granted: see
  // `closed`.
  absl::StatusOr<const float*> Pull(std::optional<Clock> clock, int rows, const uint64_t* keys, const float* dense);
  // Where the gradient of the features goes, in device memory.
  float* feature_gradient() { return input_->feature_gradient(); }
  // Makes the gradients of the rows that were pulled last, and begins to push them under `clock`.
  absl::Status Push(Clock clock);
  // Until what was pushed is acknowledged.
  absl::Status Wait();

  // The last pull was late: with backup workers the step was made without this one. Which step is collected now.
  std::optional<Clock> closed() const { return closed_; }

 private:
  RowExchange(Client* client, std::unique_ptr<SparseInput> input, std::shared_ptr<BusyTime> communication)
      : client_(client), input_(std::move(input)), communication_(std::move(communication)) {}
  absl::StatusOr<Client::PullOutcome> PullRows(std::optional<Clock> clock, absl::Span<const Client::RowPull> pulls);

  struct Pushing;

  Client* const client_;
  const std::unique_ptr<SparseInput> input_;
  const std::shared_ptr<BusyTime> communication_;
  std::optional<Clock> closed_;
  std::shared_ptr<Pushing> pushing_;  // shared with the callback, which may come after an error
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TRAIN_ROW_EXCHANGE_H_
