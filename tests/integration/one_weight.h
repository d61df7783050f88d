#ifndef SYNCLINE_TESTS_INTEGRATION_ONE_WEIGHT_H_
#define SYNCLINE_TESTS_INTEGRATION_ONE_WEIGHT_H_

#include <cstdint>
#include <memory>

#include "tests/integration/in_process_cluster.h"
#include "worker/client/client.h"

namespace syncline {

// A worker of a job with tables that has a tensor of one weight, "weight", beside them, and has leased its first step; `samples`: of its data.
// What goes wrong fails the test.
std::unique_ptr<Client> ConnectWithOneWeight(const InProcessCluster& cluster, uint64_t samples);

}  // namespace syncline

#endif  // SYNCLINE_TESTS_INTEGRATION_ONE_WEIGHT_H_
