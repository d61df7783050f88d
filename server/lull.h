#ifndef SYNCLINE_SERVER_LULL_H_
#define SYNCLINE_SERVER_LULL_H_

#include <cstddef>
#include <cstdint>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/time/steady_condition.h"

namespace syncline {

// Lets what can wait for a moment give way to what workers wait for. Thread-safe.
class Lull {
 public:
  // Something urgent begins, or ends; several may be under way.
  void Begin();
  void End();

  // How many have ended so far.
  uint64_t ended() const;
  // Blocks until more than `ended` have ended and then nothing was under way for `calm`; for `longest` at most.
  void Await(uint64_t ended, absl::Duration calm, absl::Duration longest);

 private:
  mutable absl::Mutex mu_;
  uint64_t ended_ ABSL_GUARDED_BY(mu_) = 0;
  size_t under_way_ ABSL_GUARDED_BY(mu_) = 0;
  SteadyCondition changed_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_LULL_H_
