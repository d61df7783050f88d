#ifndef SYNCLINE_WORKER_CLIENT_AWAIT_H_
#define SYNCLINE_WORKER_CLIENT_AWAIT_H_

#include <optional>
#include <utility>

#include "absl/synchronization/notification.h"

namespace syncline {

// Blocks until `begin`, which is given what to call once at the end, has ended; returns what that was called with.
// For the client's calls where their caller has nothing else to do meanwhile.
template <typename Result, typename Begin>
Result Await(const Begin& begin) {
  std::optional<Result> result;
  absl::Notification done;
  begin([&](Result ended) {
    result = std::move(ended);
    done.Notify();
  });
  done.WaitForNotification();
  return *std::move(result);
}

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_AWAIT_H_
