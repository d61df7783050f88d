#ifndef SYNCLINE_TESTS_INTEGRATION_TABLE_WORKER_H_
#define SYNCLINE_TESTS_INTEGRATION_TABLE_WORKER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/cluster/ids.h"
#include "tests/integration/in_process_cluster.h"
#include "worker/client/client.h"

namespace syncline {

using RowKeys = std::vector<uint64_t>;
// [keys, dim] weights, or gradients.
using Rows = std::vector<float>;

// `count` keys, each `apart` from the next.
RowKeys ScatteredKeys(size_t count, uint64_t apart = 7919);

// A worker of a job with tables that the test leads: it has a tensor of one weight, "weight", beside them, whose
// gradients are 0, and has leased its first steps. Tables are named by their place in the job. Every call blocks.
class TableWorker {
 public:
  // What goes wrong fails the test.
  explicit TableWorker(const InProcessCluster& cluster);

  absl::StatusOr<Rows> Pull(Clock clock, size_t table, const RowKeys& keys);
  absl::Status Push(Clock clock, size_t table, const RowKeys& keys, const Rows& gradients);
  // Each of the gradients is `value`.
  absl::Status Push(Clock clock, size_t table, const RowKeys& keys, float value);
  absl::Status Commit(Clock clock, uint64_t samples, const std::vector<Rank>& contributors);

  // The rest fails the test where it cannot be done. The newest rows:
  Rows Observe(size_t table, const RowKeys& keys);
  // The step of clock(), of which this worker is the only contributor.
  void Step(size_t table, const RowKeys& keys, const Rows& gradients);
  void Step(size_t table, const RowKeys& keys, float value);
  // Of clock().
  Rows Pull(size_t table, const RowKeys& keys);

  // The first step that Step has not made.
  Clock clock() const { return clock_; }
  Client& client() const { return *client_; }

 private:
  size_t Floats(size_t table, const RowKeys& keys) const;

  const JobManifest job_;
  std::unique_ptr<Client> client_;
  Clock clock_ = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_TESTS_INTEGRATION_TABLE_WORKER_H_
