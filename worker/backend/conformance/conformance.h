#ifndef SYNCLINE_WORKER_BACKEND_CONFORMANCE_CONFORMANCE_H_
#define SYNCLINE_WORKER_BACKEND_CONFORMANCE_CONFORMANCE_H_

#include <string>
#include <vector>

#include "worker/backend/backend.h"

namespace syncline {

// How one operation of a backend compares to another's over a set of shapes and seeds.
struct ConformanceResult {
  std::string operation;
  int cases = 0;
  double worst = 0.0;      // largest |tested - expected| / (1 + |expected|) over all outputs
  double tolerance = 0.0;  // what `worst` may be
  std::string failure;     // the first thing that went wrong; empty: none

  bool passed() const { return failure.empty(); }
};

// Runs every operation of `tested` and of `expected` on the same random inputs, odd sizes among
// them, and compares all they write. Deterministic. Uses only C++'s library.
std::vector<ConformanceResult> CompareBackends(const Backend& tested, const Backend& expected);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_BACKEND_CONFORMANCE_CONFORMANCE_H_
