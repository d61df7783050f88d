#include "tests/bench/cluster_processes.h"

#include <utility>

#include "common/config/manifest.h"
#include "server/coordinator/coordinator_server.h"

namespace syncline {
namespace {

void Coordinate(JobManifest job, const Pipe& parent) {
  Must(CompleteManifest(&job));
  CoordinatorServer::Options options;
  options.job = std::move(job);
  const auto coordinator = Must(CoordinatorServer::Start(options));
  StayUp(coordinator->address(), parent);
}

}  // namespace

JobManifest JobWithoutModel(const std::string& name) {
  JobManifest job;
  job.set_name(name);
  job.mutable_model()->set_input(1);
  job.mutable_model()->add_layers()->mutable_linear()->set_units(1);
  job.mutable_model()->set_loss(MEAN_SQUARED_ERROR);
  job.mutable_data()->set_format(RANDOM_LINEAR);
  job.mutable_data()->set_samples(1);
  job.set_sync_mode(ASYNC);
  return job;
}

Table* AddTable(const std::string& name, uint32_t dim, JobManifest* job) {
  Table* const table = job->add_tables();
  table->set_name(name);
  table->set_dim(dim);
  table->mutable_optimizer()->set_kind(ROW_OPTIMIZER_ADAGRAD);
  return table;
}

std::unique_ptr<ShardServer> StartShard(ShardServer::Options options, const Pipe& parent) {
  options.coordinator = parent.ReadLine();
  return Must(ShardServer::Start(options));
}

ClusterProcesses::ClusterProcesses(const JobManifest& job, const std::function<void(const Pipe&)>& shard)
    : coordinator_([&](const Pipe& parent) { Coordinate(job, parent); }), shard_(shard) {}

ClusterProcesses::ClusterProcesses(const JobManifest& job, const ShardServer::Options& options)
    : ClusterProcesses(job, [&](const Pipe& parent) {
        const auto shard = StartShard(options, parent);
        StayUp(shard->address(), parent);
      }) {}

ClusterProcesses::ClusterProcesses(const JobManifest& job) : ClusterProcesses(job, ShardServer::Options()) {}

const std::string& ClusterProcesses::Start() {
  address_ = coordinator_.pipe().ReadLine();
  shard_.pipe().WriteLine(address_);
  shard_address_ = shard_.pipe().ReadLine();
  return address_;
}

std::unique_ptr<Client> Join(const std::string& coordinator) {
  ClientOptions options;
  options.coordinator = coordinator;
  return Must(Client::Connect(options));
}

TensorSpec VectorSpec(const std::string& name, uint64_t elements) {
  TensorSpec tensor;
  tensor.set_name(name);
  tensor.add_shape(elements);
  return tensor;
}

}  // namespace syncline
