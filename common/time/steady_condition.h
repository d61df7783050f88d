#ifndef SYNCLINE_COMMON_TIME_STEADY_CONDITION_H_
#define SYNCLINE_COMMON_TIME_STEADY_CONDITION_H_

#include <chrono>
#include <condition_variable>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace syncline {

// Waits for what an absl::Mutex guards, for a while by a clock that nobody sets; why,
// SteadyNotification says. Whoever changes what is waited for calls NotifyAll. Thread-safe.
class SteadyCondition {
 public:
  void NotifyAll() { cv_.notify_all(); }

  // Whether `condition` came true within `timeout`. `mu` is held, but while waiting.
  template <typename Condition>
  bool WaitFor(absl::Mutex* mu, absl::Duration timeout, const Condition& condition)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    Lockable lockable{mu};
    return cv_.wait_for(lockable, absl::ToChronoNanoseconds(timeout), condition);
  }

 private:
  struct Lockable {
    absl::Mutex* mu;
    void lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mu->Lock(); }
    void unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mu->Unlock(); }
  };

  std::condition_variable_any cv_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_TIME_STEADY_CONDITION_H_
