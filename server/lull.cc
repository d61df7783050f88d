#include "server/lull.h"

#include <algorithm>

#include "common/time/steady_now.h"

namespace syncline {

void Lull::Begin() {
  absl::MutexLock lock(&mu_);
  ++under_way_;
  changed_.NotifyAll();
}

void Lull::End() {
  absl::MutexLock lock(&mu_);
  --under_way_;
  ++ended_;
  changed_.NotifyAll();
}

uint64_t Lull::ended() const {
  absl::MutexLock lock(&mu_);
  return ended_;
}

void Lull::Await(uint64_t ended, absl::Duration calm, absl::Duration longest) {
  const absl::Time end = SteadyNow() + longest;
  absl::MutexLock lock(&mu_);
  const auto over = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return ended_ > ended && under_way_ == 0; };
  while (changed_.WaitFor(&mu_, end - SteadyNow(), over)) {
    const uint64_t seen = ended_;
    const auto goes_on = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return under_way_ > 0 || ended_ != seen; };
    if (!changed_.WaitFor(&mu_, std::min(calm, end - SteadyNow()), goes_on)) return;
  }
}

}  // namespace syncline
