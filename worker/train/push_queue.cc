#include "worker/train/push_queue.h"

#include <utility>

#include "absl/synchronization/mutex.h"
#include "common/time/steady_now.h"

namespace syncline {
namespace {

// A message costs as much as some ten thousand elements, so smaller gradients go with the next one.
constexpr int64_t kElementsWorthAMessage = 16384;
// The last gradients go with the commit and the next pull, unless they are too many for one message.
constexpr int64_t kElementsInAMessage = 512 << 10;

}  // namespace

struct PushQueue::UnderWay {
  explicit UnderWay(std::shared_ptr<BusyTime> c) : communication(std::move(c)) {}

  const std::shared_ptr<BusyTime> communication;
  absl::Mutex mu;
  size_t pushes ABSL_GUARDED_BY(mu) = 0;
  absl::Status error ABSL_GUARDED_BY(mu);
};

PushQueue::PushQueue(Client* client, std::vector<int64_t> sizes, std::shared_ptr<BusyTime> communication)
    : client_(client),
      sizes_(std::move(sizes)),
      under_way_(std::make_shared<UnderWay>(std::move(communication))) {}

void PushQueue::BeginStep() {
  made_ = 0;
  TakeUnsent();
}

void PushQueue::Push(Clock clock, const Client::Gradient& gradient) {
  unsent_.push_back(gradient);
  unsent_elements_ += sizes_[gradient.tensor];
  const bool last = ++made_ == sizes_.size();
  if (unsent_elements_ < kElementsWorthAMessage) return;
  if (!last || unsent_elements_ > kElementsInAMessage) Send(clock);
}

std::vector<Client::Gradient> PushQueue::TakeUnsent() {
  unsent_elements_ = 0;
  return std::exchange(unsent_, {});
}

void PushQueue::Send(Clock clock) {
  if (unsent_.empty()) return;
  under_way_->communication->Begin(SteadyNow());
  {
    absl::MutexLock lock(&under_way_->mu);
    ++under_way_->pushes;
  }
  client_->Push(clock, TakeUnsent(), [under_way = under_way_](const absl::Status& status) {
    under_way->communication->End(SteadyNow());
    absl::MutexLock lock(&under_way->mu);
    --under_way->pushes;
    if (under_way->error.ok()) under_way->error = status;
  });
}

absl::Status PushQueue::Wait() {
  UnderWay* const u = under_way_.get();
  absl::MutexLock lock(&u->mu);
  const auto none = [u]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(u->mu) { return u->pushes == 0; };
  u->mu.Await(absl::Condition(&none));
  return u->error;
}

}  // namespace syncline
