#include "server/coordinator/coordinator_service.h"

#include "common/status/status_matchers.h"
#include "common/wire/protocol_version.h"

namespace syncline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Knows nothing, admits everybody.
class FakeCore : public CoordinatorCore {
 public:
  absl::StatusOr<RegisterShardReply> RegisterShard(const RegisterShardRequest&) override {
    RegisterShardReply reply;
    reply.set_shard(3);
    return reply;
  }
  absl::StatusOr<JoinWorkerReply> JoinWorker(const JoinWorkerRequest& request) override {
    JoinWorkerReply reply;
    reply.mutable_job()->set_name(request.name());
    return reply;
  }
  absl::StatusOr<CreateTensorsReply> CreateTensors(const CreateTensorsRequest&) override {
    return absl::UnavailableError("waiting for 1 shard");
  }
  absl::StatusOr<LeaseReply> Lease(const LeaseRequest&) override { return LeaseReply(); }
  absl::StatusOr<HeartbeatReply> Heartbeat(const HeartbeatRequest&) override {
    return HeartbeatReply();
  }
  absl::StatusOr<LeaveWorkerReply> LeaveWorker(const LeaveWorkerRequest&) override {
    return LeaveWorkerReply();
  }
  absl::StatusOr<ClusterStatusReply> ClusterStatus() override { return ClusterStatusReply(); }
  absl::StatusOr<CheckpointReply> Checkpoint() override { return CheckpointReply(); }
  absl::StatusOr<DrainReply> Drain(const DrainRequest&) override { return DrainReply(); }
  absl::StatusOr<ScaleReply> Scale(const ScaleRequest&) override { return ScaleReply(); }
  absl::StatusOr<JoinTeamReply> JoinTeam(const JoinTeamRequest&) override { return JoinTeamReply(); }
  void Tick() override {}
  bool finished() const override { return false; }
};

class CoordinatorServiceTest : public testing::Test {
 protected:
  FakeCore core_;
  CoordinatorService service_{&core_};
  grpc::ServerContext context_;
};

TEST_F(CoordinatorServiceTest, RefusesPeersOfAnotherProtocolNamingBoth) {
  JoinWorkerRequest worker;
  worker.set_protocol(kProtocolVersion + 1);
  JoinWorkerReply joined;
  const grpc::Status status = service_.JoinWorker(&context_, &worker, &joined);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), AllOf(HasSubstr(std::to_string(kProtocolVersion)),
                                            HasSubstr(std::to_string(kProtocolVersion + 1))));
  RegisterShardRequest shard;
  shard.set_address("localhost:1");
  RegisterShardReply registered;
  EXPECT_EQ(service_.RegisterShard(&context_, &shard, &registered).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(CoordinatorServiceTest, PassesOnWhatTheCoreAnswers) {
  JoinWorkerRequest worker;
  worker.set_protocol(kProtocolVersion);
  worker.set_name("w");
  JoinWorkerReply joined;
  EXPECT_TRUE(service_.JoinWorker(&context_, &worker, &joined).ok());
  EXPECT_EQ(joined.job().name(), "w");
  CreateTensorsRequest tensors;
  CreateTensorsReply created;
  const grpc::Status status = service_.CreateTensors(&context_, &tensors, &created);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "waiting for 1 shard");
}

TEST_F(CoordinatorServiceTest, RefusesAddressesNobodyCanReachAndHeartsOfNobody) {
  RegisterShardRequest shard;
  shard.set_protocol(kProtocolVersion);
  RegisterShardReply registered;
  for (const char* address : {"", "localhost", ":1", "localhost:"}) {
    shard.set_address(address);
    const grpc::Status status = service_.RegisterShard(&context_, &shard, &registered);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << address;
    EXPECT_THAT(status.error_message(), HasSubstr("--advertise"));
  }
  shard.set_address("localhost:1");
  EXPECT_TRUE(service_.RegisterShard(&context_, &shard, &registered).ok());
  EXPECT_EQ(registered.shard(), 3u);
  HeartbeatRequest beat;
  HeartbeatReply reply;
  EXPECT_EQ(service_.Heartbeat(&context_, &beat, &reply).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace syncline
