#ifndef SYNCLINE_TESTS_BENCH_SCALE_SIM_CLUSTER_MODEL_H_
#define SYNCLINE_TESTS_BENCH_SCALE_SIM_CLUSTER_MODEL_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "proto/job.pb.h"

namespace syncline {

// What things cost, in seconds of one core, and what hosts have.
struct ClusterCosts {
  double compute_seconds = 0;    // forward and backward of one worker's batch
  double straggling = 0;         // standard deviation of the logarithm of compute_seconds
  double slow_share = 0;         // of steps that take slow_factor times as long
  double slow_factor = 1;
  double shard_message = 0;      // a push, pull or commit at a shard
  double worker_message = 0;     // the same at the worker
  double shard_byte = 0;         // receiving or sending a byte
  double worker_byte = 0;
  double apply_byte = 0;         // adding up and applying a byte of gradient (as float32)
  double encode_byte = 0;        // of a codec, a byte of float32, at either end
  double add_byte = 0;           // local aggregation: adding up a byte of one worker's gradient
  double bandwidth = 0;          // bytes a second of each host's card, each way; 0: no network between
  double latency = 0;            // seconds, one way
  int shard_cores = 1;
  int worker_cores = 1;
  // Threads that serve messages, one at a time each. 0: as many as the daemons take (--io_threads), at a
  // shard half the cores and at most 8, at a worker a quarter and at most 2, beside the one that computes.
  int shard_threads = 0;
  int worker_threads = 0;
  // Above 0: one host with so many cores has all workers and shards.
  int one_host_cores = 0;
};

struct ClusterCase {
  SyncMode mode = SYNC;
  int workers = 1;
  int shards = 1;
  int staleness = 1;             // bounded
  int backup_workers = 0;        // sync
  double model_bytes = 0;        // float32
  double push_share = 1;         // bytes of a coded gradient, of those of float32
  double pull_share = 1;
  // A step's gradient leaves in this many parts, at equal distances during backward, or in one a shard
  // where there are more shards.
  int push_parts = 1;
  double backward_share = 0;     // of compute_seconds
  int workers_a_host = 1;        // above 1: their gradients are added up there before one push
  int steps = 30;                // a worker; the first fifth is not counted
  uint64_t seed = 1;
};

struct ClusterSpeed {
  double step_seconds = 0;       // mean time from one step of a worker to its next
  double worker_steps = 0;       // steps of workers a second, all together, that counted
  double shard_busy = 0;         // share of a shard's cores in use
};

// Simulates a cluster, event by event: each worker pulls from all shards, computes, pushes to all shards
// while backward goes on, and commits; the threads of shards and workers serve one message after the
// other, and so do network cards; threads share the cores of a host in time slices; the sync policy says
// when pulls are answered. Forward waits for all of a pull, and a message is received when it has been
// sent in full: a cluster does at least as well.
//
// Shards are alike, so of more than kShardsSimulated only that many are simulated, each with its own
// load; a worker's traffic with them stands for its traffic with all. What is lost is that the slowest
// of many shards is a little slower than the slowest of few.
//
// INVALID_ARGUMENT naming the setting and the accepted range.
constexpr int kShardsSimulated = 4;
absl::StatusOr<ClusterSpeed> Simulate(const ClusterCosts& costs, const ClusterCase& what);

}  // namespace syncline

#endif  // SYNCLINE_TESTS_BENCH_SCALE_SIM_CLUSTER_MODEL_H_
