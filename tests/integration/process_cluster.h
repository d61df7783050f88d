#ifndef SYNCLINE_TESTS_INTEGRATION_PROCESS_CLUSTER_H_
#define SYNCLINE_TESTS_INTEGRATION_PROCESS_CLUSTER_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "deploy/cli/child_process.h"
#include "tests/integration/in_process_cluster.h"

namespace syncline {

// A coordinator in this process, and shards and workers in processes of their own, which can be killed. A
// test's target has //server:syncline-ps and //worker:syncline-worker as data. `start_shards`: the job's are in
// this process.
class ProcessCluster : public InProcessCluster {
 public:
  ProcessCluster(const JobManifest& job, absl::Duration member_lease, bool start_shards = false)
      : InProcessCluster(job, "", member_lease, &PosixFileSystem(), start_shards) {}

  // `failpoint`: where it is to die, as in common/failpoint.
  void StartShard(const std::string& name, const std::string& failpoint = "");
  // `host`: the one that it says it is on.
  void StartWorker(const std::string& name, const std::string& step_delay = "10ms", const std::string& host = "");
  ChildProcess& process(const std::string& name) { return *processes_.at(name); }
  void KillAll();

  // Until the job trains and has come so far.
  absl::Status WaitForStep(uint64_t step);
  // Waits for the end of the job; the weights of its last checkpoint.
  Weights FinishedWeights();
  // The ends of what the processes have logged.
  std::string Logs() const;

 private:
  void Start(const std::string& name, std::vector<std::string> arguments);

  const std::string logs_ = FreshFolder("logs");
  std::map<std::string, std::unique_ptr<ChildProcess>> processes_;
};

}  // namespace syncline

#endif  // SYNCLINE_TESTS_INTEGRATION_PROCESS_CLUSTER_H_
