#ifndef SYNCLINE_COMMON_TIME_STEADY_NOTIFICATION_H_
#define SYNCLINE_COMMON_TIME_STEADY_NOTIFICATION_H_

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "absl/time/time.h"

namespace syncline {

// absl::Notification for whoever also wakes up every so often. Abseil's timed waits (of 20220623, Debian's) are
// until a time of the wall clock: when somebody sets that back by an hour they take an hour longer, and a member
// that beats no more is lost. Thread-safe.
class SteadyNotification {
 public:
  void Notify() {
    const std::lock_guard<std::mutex> lock(mu_);
    notified_ = true;
    cv_.notify_all();
  }
  bool HasBeenNotified() const {
    const std::lock_guard<std::mutex> lock(mu_);
    return notified_;
  }
  // Whether it was notified within `timeout`.
  bool WaitForNotificationWithTimeout(absl::Duration timeout) const {
    std::unique_lock<std::mutex> lock(mu_);
    return cv_.wait_for(lock, absl::ToChronoNanoseconds(timeout), [this] { return notified_; });
  }

 private:
  mutable std::mutex mu_;
  mutable std::condition_variable cv_;
  bool notified_ = false;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_TIME_STEADY_NOTIFICATION_H_
