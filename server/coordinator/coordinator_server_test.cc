#include "server/coordinator/coordinator_server.h"

#include <cstdlib>

#include "common/config/manifest.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/status/status_matchers.h"
#include "common/wire/protocol_version.h"
#include "grpcpp/generic/generic_stub.h"
#include "proto/coordinator.grpc.pb.h"

namespace syncline {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

CoordinatorServer::Options SampleOptions() {
  CoordinatorServer::Options options;
  options.job = *ParseManifest(
      "name: sample\n"
      "model: {input: 2, layers: [linear: {units: 1}], loss: mean_squared_error}\n"
      "data: {format: random_linear, samples: 8}\n",
      "sample.yaml");
  return options;
}

class CoordinatorServerTest : public testing::Test {
 protected:
  void SetUp() override {
    SYNCLINE_ASSERT_OK_AND_ASSIGN(server_, CoordinatorServer::Start(SampleOptions()));
    SYNCLINE_ASSERT_OK_AND_ASSIGN(channel_, MakeChannel(server_->address(), {}));
    stub_ = Coordinator::NewStub(channel_);
  }

  std::unique_ptr<CoordinatorServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Coordinator::Stub> stub_;
};

TEST_F(CoordinatorServerTest, TellsWhatItWaitsFor) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(
      const ClusterStatusReply status,
      Call<ClusterStatusReply>(*stub_, &Coordinator::Stub::ClusterStatus, ClusterStatusRequest(),
                               absl::Seconds(5)));
  EXPECT_EQ(status.job().name(), "sample");
  EXPECT_EQ(status.phase(), ClusterStatusReply::WAITING);
  EXPECT_THAT(status.waiting_for(), HasSubstr("shard"));
  EXPECT_EQ(server_->http_address(), "");
}

TEST_F(CoordinatorServerTest, RefusesAWorkerOfAnotherProtocol) {
  JoinWorkerRequest request;
  request.set_protocol(kProtocolVersion + 1);
  EXPECT_THAT(Call<JoinWorkerReply>(*stub_, &Coordinator::Stub::JoinWorker, request,
                                    absl::Seconds(5)),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("protocol")));
}

// The health service of gRPC, asked by hand: a message with the field status (1) = SERVING (1).
TEST_F(CoordinatorServerTest, IsHealthy) {
  grpc::GenericStub health(channel_);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const grpc::Slice nothing("");
  const auto call = health.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check",
                                            grpc::ByteBuffer(&nothing, 1), &queue);
  call->StartCall();
  grpc::ByteBuffer reply;
  grpc::Status status;
  call->Finish(&reply, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  ASSERT_TRUE(status.ok()) << status.error_message();
  grpc::Slice bytes;
  ASSERT_TRUE(reply.DumpToSingleSlice(&bytes).ok());
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()), "\x08\x01");
}

TEST_F(CoordinatorServerTest, DrainsWithNobodyThere) {
  SYNCLINE_EXPECT_OK(server_->Drain().status());
  EXPECT_TRUE(server_->finished());
}

TEST(CoordinatorServerStartTest, ServesAPageWhereOneIsAskedFor) {
  CoordinatorServer::Options options = SampleOptions();
  options.http_port = 0;
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto server, CoordinatorServer::Start(options));
  EXPECT_THAT(server->http_address(), MatchesRegex("127.0.0.1:[1-9][0-9]*"));
}

TEST(CoordinatorServerStartTest, RefusesToRestoreWhatIsNotThere) {
  CoordinatorServer::Options options = SampleOptions();
  options.restore = "latest";
  EXPECT_THAT(CoordinatorServer::Start(options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--checkpoint_directory")));
  const std::string folder = std::string(std::getenv("TEST_TMPDIR")) + "/none";
  options.job.mutable_checkpoint()->set_directory(folder);
  EXPECT_THAT(CoordinatorServer::Start(options),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(folder + " holds no checkpoint")));
  options.restore = folder;
  EXPECT_THAT(CoordinatorServer::Start(options),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(folder)));
}

}  // namespace
}  // namespace syncline
