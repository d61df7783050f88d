#ifndef SYNCLINE_TESTS_BENCH_CLUSTER_PROCESSES_H_
#define SYNCLINE_TESTS_BENCH_CLUSTER_PROCESSES_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "proto/job.pb.h"
#include "proto/parameter_server.pb.h"
#include "server/shard_server.h"
#include "tests/bench/child_process.h"
#include "worker/client/client.h"

namespace syncline {

// A job in async whose model is of no matter: what is pushed and pulled are a benchmark's own tensors, and tables. Complete
// but for what that changes in it.
JobManifest JobWithoutModel(const std::string& name);
// With Adagrad.
Table* AddTable(const std::string& name, uint32_t dim, JobManifest* job);

// In a child process: a shard of the coordinator whose address the parent tells.
std::unique_ptr<ShardServer> StartShard(ShardServer::Options options, const Pipe& parent);

// A coordinator and a shard, each a process of its own. To be made before gRPC has started anything here (ChildProcess), and
// Start called later.
class ClusterProcesses {
 public:
  // `shard`: its process' body: StartShard, and what else is to be there, then StayUp.
  ClusterProcesses(const JobManifest& job, const std::function<void(const Pipe&)>& shard);
  ClusterProcesses(const JobManifest& job, const ShardServer::Options& options);
  explicit ClusterProcesses(const JobManifest& job);

  // Waits until both answer; the coordinator's address.
  const std::string& Start();
  // What the shard's process stays up with.
  const std::string& shard_address() const { return shard_address_; }
  const ChildProcess& coordinator() const { return coordinator_; }
  const ChildProcess& shard() const { return shard_; }

 private:
  const ChildProcess coordinator_;
  const ChildProcess shard_;
  std::string address_, shard_address_;
};

// A client that has joined and declared nothing yet.
std::unique_ptr<Client> Join(const std::string& coordinator);
TensorSpec VectorSpec(const std::string& name, uint64_t elements);

}  // namespace syncline

#endif  // SYNCLINE_TESTS_BENCH_CLUSTER_PROCESSES_H_
