#ifndef SYNCLINE_WORKER_TRAIN_PUSH_QUEUE_H_
#define SYNCLINE_WORKER_TRAIN_PUSH_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "common/cluster/ids.h"
#include "worker/client/client.h"
#include "worker/train/busy_time.h"

namespace syncline {

// Sends the gradients of a step as they are made, small ones together. Used by one thread.
class PushQueue {
 public:
  // `client` outlives what is under way; `sizes`: elements of each tensor. `communication` is told when
  // anything is.
  PushQueue(Client* client, std::vector<int64_t> sizes, std::shared_ptr<BusyTime> communication);

  // A step begins, maybe anew: nothing of it was made.
  void BeginStep();
  // The gradient of a tensor was made. It goes out now or with a later one.
  void Push(Clock clock, const Client::Gradient& gradient);
  // Sends what waits.
  void Send(Clock clock);
  // What waits, to be sent by somebody else.
  std::vector<Client::Gradient> TakeUnsent();
  // Waits until what was sent is acknowledged. The first error there was.
  absl::Status Wait();

 private:
  struct UnderWay;

  Client* const client_;
  const std::vector<int64_t> sizes_;
  const std::shared_ptr<UnderWay> under_way_;  // shared with callbacks, which may come after an error
  // Gradients of the step: how many were made, those that wait to be sent together, and their size.
  size_t made_ = 0;
  std::vector<Client::Gradient> unsent_;
  int64_t unsent_elements_ = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TRAIN_PUSH_QUEUE_H_
