#ifndef SYNCLINE_TESTS_INTEGRATION_IN_PROCESS_CLUSTER_H_
#define SYNCLINE_TESTS_INTEGRATION_IN_PROCESS_CLUSTER_H_

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/io/posix_file_system.h"
#include "proto/coordinator.grpc.pb.h"
#include "proto/job.pb.h"
#include "proto/parameter_server.pb.h"
#include "server/coordinator/coordinator_server.h"
#include "server/shard_server.h"
#include "worker/client/client.h"
#include "worker/worker.h"

namespace syncline {

// The weights of a job, by tensor.
using Weights = std::map<std::string, std::vector<float>>;

// A small job on data drawn at random: `features` inputs, a hidden layer of `hidden` units, mean
// squared error, momentum, chunks of 4 KiB. Complete but for what a test changes in it.
JobManifest SmallJob(uint32_t features, uint32_t hidden, uint64_t samples);

// Real daemons on loopback, all in this process. Everything is gone when this object is.
class InProcessCluster {
 public:
  // Fills in the job's defaults. Starts the coordinator and the job's shards. `files`: where they
  // keep checkpoints; not owned. `start_shards`: else the test starts them.
  explicit InProcessCluster(JobManifest job, const std::string& restore = "",
                            absl::Duration member_lease = absl::Seconds(5),
                            FileSystem* files = &PosixFileSystem(), bool start_shards = true);
  ~InProcessCluster();

  const std::string& coordinator() const { return coordinator_->address(); }
  const std::string& shard(int index) const { return shards_[index]->address(); }
  const JobManifest& job() const { return job_; }

  // Ends the coordinator as a crash would, for good.
  void EndCoordinator() { coordinator_.reset(); }
  // Ends the coordinator as a crash would and, after `away`, starts the next one at the same address with
  // the same metadata.
  void RestartCoordinator(absl::Duration away);
  // One more shard, which the job takes in. `table_memory`: as its flag.
  void StartShard(uint64_t table_memory = 0);
  // Lets a shard go in good order: others have its chunks when this returns.
  absl::Status DrainShard(int index) { return shards_[index]->Drain(absl::Minutes(1)); }
  void Scale(uint32_t shards);
  void Scale(const ScaleRequest& request);
  // Until chunks are where they are to be, over so many shards.
  absl::Status WaitForShards(int count);

  // Begins a worker on a thread of its own. `host`: the one that it says it is on.
  void StartWorker(absl::Duration step_delay = absl::ZeroDuration(), const std::string& host = "");
  void StartWorkers() {
    for (uint32_t i = 0; i < job_.workers(); ++i) StartWorker();
  }
  // Waits for all workers begun; the first error.
  absl::Status JoinWorkers();

  ClusterStatusReply Status();
  // Polls until `done` says so; DEADLINE_EXCEEDED after a minute.
  absl::Status WaitUntil(const std::function<bool(const ClusterStatusReply&)>& done);
  absl::Status WaitUntilFinished() {
    return WaitUntil([](const ClusterStatusReply& status) {
      return status.phase() == ClusterStatusReply::FINISHED;
    });
  }
  // Waits for the workers begun and the end of the job, without errors; the status then.
  ClusterStatusReply Finish();
  Coordinator::Stub& stub() { return *stub_; }

 private:
  JobManifest job_;
  FileSystem* const files_;
  CoordinatorServer::Options coordinator_options_;
  std::unique_ptr<CoordinatorServer> coordinator_;
  std::vector<std::unique_ptr<ShardServer>> shards_;
  std::unique_ptr<Coordinator::Stub> stub_;
  std::vector<std::thread> workers_;
  std::vector<std::unique_ptr<absl::Status>> results_;
};

// The weights in the newest checkpoint of a folder, by way of `syncline export`.
absl::StatusOr<Weights> CheckpointWeights(const std::string& directory);

// Trains `job` to its end with all its workers and returns the weights; fails the test otherwise.
Weights TrainedWeights(JobManifest job, const std::string& restore = "");

// The largest difference, as a share of the largest weight of its tensor.
double Difference(const Weights& a, const Weights& b);

// What a client says of itself, under the first shard map.
Sender SenderOf(const Client& client);

// An empty folder of this test's own.
std::string FreshFolder(const std::string& name);

}  // namespace syncline

#endif  // SYNCLINE_TESTS_INTEGRATION_IN_PROCESS_CLUSTER_H_
