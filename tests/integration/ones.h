#ifndef SYNCLINE_TESTS_INTEGRATION_ONES_H_
#define SYNCLINE_TESTS_INTEGRATION_ONES_H_

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "tests/integration/in_process_cluster.h"

namespace syncline {

// A job in which each push adds 1 to every weight: so the weights say how many pushes were applied.
JobManifest OnesJob(SyncMode mode);
// It has a table too, of which each push adds 1 to 200 rows.
JobManifest OnesJobWithTable(SyncMode mode);

// Clients of such a job, each on a thread of its own, that push for as many steps as they are told to.
class Ones {
 public:
  // Joins so many workers.
  Ones(InProcessCluster& cluster, int workers);

  void Begin(Clock steps);
  // By hand instead, of one worker in sync: pushes its part of a step and commits it.
  void Contribute(int worker, Clock clock);
  // Expects that the worker can begin a step, with all that was made before: 1 of each step, as the mean of ones is 1.
  void ExpectPulled(int worker, Clock clock);
  // Waits until all have ended, and expects that every push which was acknowledged counts, once.
  void ExpectAllCount();

 private:
  void Push(Client* client, Clock steps, uint64_t* pushed);

  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<uint64_t> pushed_;  // acknowledged, by worker
  std::atomic<uint64_t> pushed_rows_{0};  // likewise, of all workers
  std::vector<std::thread> threads_;
};

}  // namespace syncline

#endif  // SYNCLINE_TESTS_INTEGRATION_ONES_H_
