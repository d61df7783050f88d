#include "worker/backend/conformance/conformance.h"

#include "worker/backend/conformance/comparison.h"

namespace syncline {

std::vector<ConformanceResult> CompareBackends(const Backend& tested, const Backend& expected) {
  Comparison comparison(tested, expected);
  CompareProducts(&comparison);
  CompareActivations(&comparison);
  CompareRowsAndColumns(&comparison);
  CompareSequences(&comparison);
  CompareLosses(&comparison);
  CompareGathers(&comparison);
  CompareLookUps(&comparison);
  CompareSideBySide(&comparison);
  return comparison.Take();
}

}  // namespace syncline
