#include "common/rpc/call.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/time/steady_now.h"

namespace syncline {

absl::Status RetryUntil(absl::Time deadline, const std::string& what,
                        const std::function<absl::Status()>& attempt) {
  absl::Duration wait = absl::Milliseconds(20);
  while (true) {
    const absl::Status status = attempt();
    if (status.ok()) return status;
    // CANCELLED: the peer is closing, as nobody here cancels these calls.
    const bool again = IsTransient(status) || absl::IsCancelled(status);
    if (!again || SteadyNow() + wait > deadline) {
      return absl::Status(status.code(), absl::StrCat(what, ": ", status.message()));
    }
    absl::SleepFor(wait);
    wait = std::min(2 * wait, absl::Seconds(1));
  }
}

}  // namespace syncline
