#ifndef SYNCLINE_TESTS_BENCH_TABLE_PROCESSES_H_
#define SYNCLINE_TESTS_BENCH_TABLE_PROCESSES_H_

#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/config/manifest.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "proto/parameter_server.grpc.pb.h"
#include "server/coordinator/coordinator_server.h"
#include "server/shard_server.h"
#include "tests/bench/child_process.h"
#include "worker/client/await.h"
#include "worker/client/client.h"

namespace syncline {

// A coordinator and a shard with one table, each a process of its own, and a client to them. `async`: pushes are applied
// as they come. To be made before gRPC has started anything here (ChildProcess), and Connect later.
class TableProcesses {
 public:
  // `memory`: what the rows may take (--table_memory); 0: no limit. What does not fit goes to `folder`.
  TableProcesses(uint32_t dim, RowOptimizerKind optimizer, uint64_t memory, const std::string& folder)
      : coordinator_([=](const Pipe& parent) { Coordinate(Job(dim, optimizer), parent); }),
        shard_([=](const Pipe& parent) { ServeShard(memory, folder, parent); }) {}

  void Connect() {
    const std::string coordinator = coordinator_.pipe().ReadLine();
    shard_.pipe().WriteLine(coordinator);
    const std::string shard = shard_.pipe().ReadLine();
    ClientOptions options;
    options.coordinator = coordinator;
    client_ = Must(Client::Connect(options));
    TensorSpec weight;
    weight.set_name("weight");
    weight.add_shape(1);
    Must(client_->CreateTensors({weight}));
    status_ = ParameterServer::NewStub(Must(MakeChannel(shard, {})));
  }

  void Push(const std::vector<uint64_t>& keys, const float* gradients) {
    Must(Await<absl::Status>(
        [&](auto done) { client_->PushRows(clock_++, {{0, keys, gradients}}, std::move(done)); }));
  }
  void Pull(const std::vector<uint64_t>& keys, float* rows) {
    Must(Await<absl::Status>([&](auto done) { client_->ObserveRows({{0, keys, rows}}, std::move(done)); }));
  }
  RowMemory Rows() {
    return Must(Call<ShardStatusReply>(*status_, &ParameterServer::Stub::ShardStatus, ShardStatusRequest(),
                                       absl::Minutes(1)))
        .row_memory();
  }
  // Bytes of the shard's process, as a line of /proc/PID/status names them ("VmHWM:").
  uint64_t Memory(const std::string& what) const {
    std::ifstream file(absl::StrCat("/proc/", shard_.pid(), "/status"));
    for (std::string line; std::getline(file, line);) {
      if (absl::StartsWith(line, what)) return std::strtoull(line.c_str() + what.size(), nullptr, 10) << 10;
    }
    return 0;
  }

 private:
  static JobManifest Job(uint32_t dim, RowOptimizerKind optimizer) {
    JobManifest job;
    job.set_name("rows");
    job.mutable_model()->set_input(1);
    job.mutable_model()->add_layers()->mutable_linear()->set_units(1);
    job.mutable_model()->set_loss(MEAN_SQUARED_ERROR);
    job.mutable_data()->set_format(RANDOM_LINEAR);
    job.mutable_data()->set_samples(1);
    job.set_sync_mode(ASYNC);
    Table* const table = job.add_tables();
    table->set_name("table");
    table->set_dim(dim);
    table->mutable_optimizer()->set_kind(optimizer);
    table->mutable_optimizer()->set_learning_rate(1);
    Must(CompleteManifest(&job));
    return job;
  }
  static void Coordinate(const JobManifest& job, const Pipe& parent) {
    CoordinatorServer::Options options;
    options.job = job;
    const auto coordinator = Must(CoordinatorServer::Start(options));
    parent.WriteLine(coordinator->address());
    while (true) pause();
  }
  static void ServeShard(uint64_t memory, const std::string& folder, const Pipe& parent) {
    ShardServer::Options options;
    options.coordinator = parent.ReadLine();
    options.table_memory = memory;
    options.table_folder = folder;
    const auto shard = Must(ShardServer::Start(options));
    parent.WriteLine(shard->address());
    while (true) pause();
  }

  const ChildProcess coordinator_;
  const ChildProcess shard_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<ParameterServer::Stub> status_;
  Clock clock_ = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_TESTS_BENCH_TABLE_PROCESSES_H_
