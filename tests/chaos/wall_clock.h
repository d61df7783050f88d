#ifndef SYNCLINE_TESTS_CHAOS_WALL_CLOCK_H_
#define SYNCLINE_TESTS_CHAOS_WALL_CLOCK_H_

#include "absl/time/time.h"

namespace syncline {

// From now on the clock of the wall, of the test that links this (clock_jump.cc), is so far ahead of the true one. Thread-safe.
void SetWallClock(absl::Duration ahead);

}  // namespace syncline

#endif  // SYNCLINE_TESTS_CHAOS_WALL_CLOCK_H_
