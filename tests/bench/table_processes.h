#ifndef SYNCLINE_TESTS_BENCH_TABLE_PROCESSES_H_
#define SYNCLINE_TESTS_BENCH_TABLE_PROCESSES_H_

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "proto/parameter_server.grpc.pb.h"
#include "tests/bench/cluster_processes.h"
#include "worker/client/await.h"
#include "worker/client/client.h"

namespace syncline {

// A coordinator and a shard with one table, each a process of its own, and a client to them. `async`: pushes are applied
// as they come. To be made before gRPC has started anything here (ChildProcess), and Connect later.
class TableProcesses {
 public:
  // `memory`: what the rows may take (--table_memory); 0: no limit. What does not fit goes to `folder`.
  TableProcesses(uint32_t dim, RowOptimizerKind optimizer, uint64_t memory, const std::string& folder)
      : cluster_(Job(dim, optimizer), Shard(memory, folder)) {}

  void Connect() {
    client_ = Join(cluster_.Start());
    Must(client_->CreateTensors({VectorSpec("weight", 1)}));
    status_ = ParameterServer::NewStub(Must(MakeChannel(cluster_.shard_address(), {})));
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
    std::ifstream file(absl::StrCat("/proc/", cluster_.shard().pid(), "/status"));
    for (std::string line; std::getline(file, line);) {
      if (absl::StartsWith(line, what)) return std::strtoull(line.c_str() + what.size(), nullptr, 10) << 10;
    }
    return 0;
  }

 private:
  static JobManifest Job(uint32_t dim, RowOptimizerKind optimizer) {
    JobManifest job = JobWithoutModel("rows");
    Table* const table = AddTable("table", dim, &job);
    table->mutable_optimizer()->set_kind(optimizer);
    table->mutable_optimizer()->set_learning_rate(1);
    return job;
  }
  static ShardServer::Options Shard(uint64_t memory, const std::string& folder) {
    ShardServer::Options options;
    options.table_memory = memory;
    options.table_folder = folder;
    return options;
  }

  ClusterProcesses cluster_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<ParameterServer::Stub> status_;
  Clock clock_ = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_TESTS_BENCH_TABLE_PROCESSES_H_
