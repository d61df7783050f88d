#ifndef SYNCLINE_COMMON_FAILPOINT_FAILPOINT_H_
#define SYNCLINE_COMMON_FAILPOINT_FAILPOINT_H_

#include <string>

#include "absl/strings/string_view.h"

namespace syncline {

// Points of a protocol at which tests have a daemon die, as kill -9 would have it:
//
//   SYNCLINE_FAILPOINT=hand_over.send=3 syncline-ps --coordinator=...
//
// dies when it comes to `hand_over.send` for the third time (without a number: the first). docs/testing.md lists
// the names. Thread-safe; where the variable is not set a point costs nothing worth speaking of.
void Failpoint(absl::string_view name);

// Whether the variable is set, for points whose names cost something to make.
bool FailpointSet();

}  // namespace syncline

#endif  // SYNCLINE_COMMON_FAILPOINT_FAILPOINT_H_
