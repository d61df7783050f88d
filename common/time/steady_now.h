#ifndef SYNCLINE_COMMON_TIME_STEADY_NOW_H_
#define SYNCLINE_COMMON_TIME_STEADY_NOW_H_

#include <chrono>

#include "absl/time/time.h"

namespace syncline {

// A clock that nobody sets, for deadlines and for what is measured: the one of the wall jumps when somebody
// does, or when a host that had a wrong time hears the right one. Only differences mean something.
inline absl::Time SteadyNow() {
  return absl::UnixEpoch() + absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

inline double SecondsSince(absl::Time begin) { return absl::ToDoubleSeconds(SteadyNow() - begin); }

}  // namespace syncline

#endif  // SYNCLINE_COMMON_TIME_STEADY_NOW_H_
