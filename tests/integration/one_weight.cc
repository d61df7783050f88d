#include "tests/integration/one_weight.h"

#include <utility>

#include "common/status/status_matchers.h"

namespace syncline {

std::unique_ptr<Client> ConnectWithOneWeight(const InProcessCluster& cluster, uint64_t samples) {
  ClientOptions options;
  options.coordinator = cluster.coordinator();
  std::unique_ptr<Client> client = *Client::Connect(options);
  TensorSpec weight;
  weight.set_name("weight");
  weight.add_shape(1);
  SYNCLINE_EXPECT_OK(client->CreateTensors({weight}));
  SYNCLINE_EXPECT_OK(client->Lease(samples, 0, 0).status());
  return client;
}

}  // namespace syncline
