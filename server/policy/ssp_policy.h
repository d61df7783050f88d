#ifndef SYNCLINE_SERVER_POLICY_SSP_POLICY_H_
#define SYNCLINE_SERVER_POLICY_SSP_POLICY_H_

#include <string>
#include <vector>

#include "server/policy/asp_policy.h"

namespace syncline {

// Stale synchronous parallel (Ho et al. 2013): pushes apply on arrival, and a pull at clock c waits
// until every live worker's clock is at least c - staleness.
class SspPolicy final : public AspPolicy {
 public:
  explicit SspPolicy(Clock staleness) : staleness_(staleness) {}

  PullVerdict OnPull(Clock clock) const override;
  std::vector<std::string> Waiting() const override;

 private:
  const Clock staleness_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_POLICY_SSP_POLICY_H_
