// A cluster of processes in which each has a certificate of its own role: it trains as one without TLS does, and no
// certificate does another role's work.

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/config/manifest_writer.h"
#include "common/io/file_system.h"
#include "common/rpc/call.h"
#include "common/rpc/call_raw.h"
#include "common/rpc/channel.h"
#include "common/status/status_matchers.h"
#include "common/wire/protocol_version.h"
#include "deploy/cli/child_process.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/coordinator.grpc.pb.h"
#include "proto/parameter_server.grpc.pb.h"
#include "tests/integration/in_process_cluster.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

constexpr absl::Duration kLong = absl::Seconds(20);

// Shards ask one another for norms and send one another copies.
JobManifest Job() {
  JobManifest job = SmallJob(40, 300, 2000);
  job.set_workers(2);
  job.set_shards(2);
  job.set_replicas(2);
  job.set_epochs(4);
  job.mutable_optimizer()->set_clip_norm(0.5);
  return job;
}

class CertificateRolesTest : public testing::Test {
 protected:
  void Start(const std::string& name, const std::string& role, std::vector<std::string> arguments) {
    for (const std::string& flag : Flags(role)) arguments.push_back(flag);
    auto process = ChildProcess::Start(name, arguments, Log(name));
    SYNCLINE_ASSERT_OK(process.status());
    processes_[name] = *std::move(process);
  }
  void StartDaemon(const std::string& name, const std::string& role, std::vector<std::string> arguments) {
    arguments.push_back(absl::StrCat("--port_file=", folder_, "/", name, ".port"));
    Start(name, role, std::move(arguments));
  }
  std::string Address(const std::string& name) {
    for (int i = 0; i < 300; ++i) {
      const auto port = ReadFile(PosixFileSystem(), absl::StrCat(folder_, "/", name, ".port"));
      if (port.ok()) return port->substr(0, port->find('\n'));
      absl::SleepFor(absl::Milliseconds(50));
    }
    ADD_FAILURE() << Said(name);
    return "";
  }
  int Ended(const std::string& name) {
    EXPECT_TRUE(processes_.at(name)->WaitFor(absl::Minutes(1))) << Said(name);
    return processes_.at(name)->Poll().value_or(-1);
  }
  // A command of syncline's with a certificate of this role; its exit status.
  int Command(const std::string& role, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "deploy/cli/syncline");
    Start("command", role, std::move(arguments));
    return Ended("command");
  }
  std::string Said(const std::string& name) const { return LastLines(Log(name), 10); }
  std::string Log(const std::string& name) const { return absl::StrCat(folder_, "/", name, ".log"); }

  SecurityOptions Certificate(const std::string& role) const {
    SecurityOptions security;
    security.cert_file = absl::StrCat(folder_, "/certificates/", role, ".pem");
    security.key_file = absl::StrCat(folder_, "/certificates/", role, ".key");
    security.ca_file = absl::StrCat(folder_, "/certificates/ca.pem");
    const std::string command =
        absl::StrCat("deploy/tls/issue ", folder_, "/certificates ", role, " ", role, " 127.0.0.1");
    if (!PosixFileSystem().Exists(security.cert_file)) {
      EXPECT_EQ(std::system(command.c_str()), 0) << "openssl is needed (package openssl)";
    }
    return security;
  }
  std::vector<std::string> Flags(const std::string& role) const {
    const SecurityOptions security = Certificate(role);
    return {"--tls_cert=" + security.cert_file, "--tls_key=" + security.key_file, "--tls_ca=" + security.ca_file};
  }

  template <typename Reply, typename Service, typename Method, typename Request>
  absl::Status Ask(const std::string& role, const std::string& address, Method method, const Request& request) {
    return Call<Reply>(*Service::NewStub(*MakeChannel(address, Certificate(role))), method, request, kLong).status();
  }

  void StartCluster(const JobManifest& job) {
    const std::string manifest = folder_ + "/job.yaml";
    SYNCLINE_ASSERT_OK(WriteFileAtomically(PosixFileSystem(), manifest, SerializeManifest(job)));
    StartDaemon("coordinator", "coordinator",
                {"server/coordinator/syncline-coordinator", "--job=" + manifest, "--exit_when_finished"});
    coordinator_ = Address("coordinator");
    for (const char* name : {"ps-0", "ps-1"}) {
      StartDaemon(name, "shard", {"server/syncline-ps", "--coordinator=" + coordinator_});
    }
  }
  void StartWorkers() {
    for (const char* name : {"worker-0", "worker-1"}) {
      Start(name, "worker", {"worker/syncline-worker", "--coordinator=" + coordinator_, "--step_delay=2ms",
                             absl::StrCat("--name=", name)});
    }
  }

  const std::string folder_ = FreshFolder("roles");
  std::string coordinator_;
  std::map<std::string, std::unique_ptr<ChildProcess>> processes_;
};

TEST_F(CertificateRolesTest, EachDoesItsOwnWorkAndItIsTheSame) {
  JobManifest job = Job();
  job.mutable_checkpoint()->set_directory(folder_ + "/checkpoints");
  StartCluster(job);
  StartWorkers();
  EXPECT_EQ(Command("operator", {"status", "--coordinator=" + coordinator_}), 0) << Said("command");
  for (const char* name : {"coordinator", "worker-0", "worker-1"}) EXPECT_EQ(Ended(name), 0) << Said(name);
  EXPECT_EQ(*CheckpointWeights(job.checkpoint().directory()), TrainedWeights(Job()));

  StartDaemon("serve", "reader", {"server/syncline-ps", "--read_only", "--checkpoints=" + job.checkpoint().directory()});
  const std::vector<std::string> pull = {"pull", "--servers=" + Address("serve"), "--tensor=0.linear.weight"};
  EXPECT_EQ(Command("reader", pull), 0) << Said("command");
  EXPECT_EQ(Command("operator", pull), 1);
  EXPECT_THAT(Said("command"), HasSubstr("GetMap is for worker or reader"));
}

TEST_F(CertificateRolesTest, NobodyDoesAnothersWork) {
  StartCluster(Job());
  const std::string shard = Address("ps-0");
  // What a worker could do as a shard, as the coordinator, as an operator.
  EXPECT_THAT(CallRaw(*MakeChannel(shard, Certificate("worker")), "/syncline.ParameterServer/HandOver",
                      grpc::ByteBuffer(), kLong)
                  .status(),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("HandOver is for shard")));
  AttachMemoryRequest attach;
  attach.mutable_sender()->set_rank(~uint32_t{0});
  attach.mutable_sender()->set_incarnation(1);
  attach.mutable_sender()->set_protocol(kProtocolVersion);
  const auto attaching = &ParameterServer::Stub::AttachMemory;
  EXPECT_THAT((Ask<AttachMemoryReply, ParameterServer>("worker", shard, attaching, attach)),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("lending memory as a shard is for shard")));
  SYNCLINE_EXPECT_OK((Ask<AttachMemoryReply, ParameterServer>("shard", shard, attaching, attach)));
  EXPECT_THAT((Ask<ConfigureReply, ParameterServer>("worker", shard, &ParameterServer::Stub::Configure, ConfigureRequest())),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("Configure is for coordinator")));
  HeartbeatRequest heartbeat;
  heartbeat.set_shard(shard);
  EXPECT_THAT((Ask<HeartbeatReply, Coordinator>("worker", coordinator_, &Coordinator::Stub::Heartbeat, heartbeat)),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("the heartbeat of a shard is for shard")));
  EXPECT_EQ(Command("worker", {"drain", "--coordinator=" + coordinator_}), 1);
  EXPECT_THAT(Said("command"), HasSubstr("Drain is for shard or operator"));
  EXPECT_THAT((Ask<DrainReply, Coordinator>("shard", coordinator_, &Coordinator::Stub::Drain, DrainRequest())),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("ending the job is for operator")));
  // Nor do readers have any business with who trains.
  EXPECT_THAT((Ask<GetMapReply, ParameterServer>("reader", shard, &ParameterServer::Stub::GetMap, GetMapRequest())),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("GetMap is for worker")));

  Start("stranger", "operator", {"worker/syncline-worker", "--coordinator=" + coordinator_});
  EXPECT_EQ(Ended("stranger"), 1);
  EXPECT_THAT(Said("stranger"), HasSubstr("JoinWorker is for worker"));
}

}  // namespace
}  // namespace syncline
