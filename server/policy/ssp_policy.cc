#include "server/policy/ssp_policy.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace syncline {

SyncPolicy::PullVerdict SspPolicy::OnPull(Clock clock) const {
  const bool near = clock <= staleness_ || this->clock() >= clock - staleness_;
  return near ? PullVerdict::kGranted : PullVerdict::kWait;
}

std::vector<std::string> SspPolicy::Waiting() const {
  if (members().empty()) return {};
  return {absl::StrCat("clock ", clock(), ", staleness ", staleness_, ": waiting for rank ",
                       absl::StrJoin(members().Below(clock() + 1), ", "))};
}

}  // namespace syncline
