#include "worker/data/label_rule.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace syncline {

bool LabelRule::Accept(float* label) const {
  switch (loss) {
    case SOFTMAX_CROSS_ENTROPY:
      return *label >= 0 && *label < static_cast<float>(outputs) && *label == std::floor(*label);
    case LOGISTIC:
      if (*label == -1) *label = 0;
      return *label == 0 || *label == 1;
    default:
      return std::isfinite(*label);
  }
}

std::string LabelRule::Accepted() const {
  switch (loss) {
    case SOFTMAX_CROSS_ENTROPY:
      return absl::StrCat("a class: a whole number in [0, ", outputs,
                          "), one for each of the model's outputs");
    case LOGISTIC:
      return "0 (or -1) or 1, as the logistic loss needs";
    default:
      return "a finite number";
  }
}

}  // namespace syncline
