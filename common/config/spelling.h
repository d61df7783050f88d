#ifndef SYNCLINE_COMMON_CONFIG_SPELLING_H_
#define SYNCLINE_COMMON_CONFIG_SPELLING_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace syncline {

// The known name that someone who wrote `name` most likely meant: the one with the fewest letters
// added, dropped, changed or swapped with their neighbour. Empty if none is close (over a third of
// the letters differ).
std::string NearestName(absl::string_view name, const std::vector<std::string>& known);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_SPELLING_H_
