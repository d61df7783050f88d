#include "server/coordinator/grpc_shard_link.h"

#include <atomic>
#include <vector>

#include "absl/time/clock.h"
#include "common/rpc/server_runtime.h"
#include "common/status/status_matchers.h"
#include "proto/parameter_server.grpc.pb.h"

namespace syncline {
namespace {

using ::testing::HasSubstr;

// Answers checkpoints with each of `answers` in turn; DEADLINE_EXCEEDED waits until the caller gives
// up.
class FakeShard : public ParameterServer::Service {
 public:
  explicit FakeShard(std::vector<grpc::StatusCode> answers) : answers_(std::move(answers)) {}

  grpc::Status WriteCheckpoint(grpc::ServerContext* context, const WriteCheckpointRequest* request,
                               WriteCheckpointReply* reply) override {
    const size_t call = calls++;
    const grpc::StatusCode code = answers_[std::min(call, answers_.size() - 1)];
    while (code == grpc::StatusCode::DEADLINE_EXCEEDED && !context->IsCancelled()) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    reply->set_step(request->step());
    return code == grpc::StatusCode::OK ? grpc::Status::OK : grpc::Status(code, "as told");
  }

  std::atomic<size_t> calls = 0;

 private:
  const std::vector<grpc::StatusCode> answers_;
};

absl::StatusOr<WriteCheckpointReply> WriteOn(FakeShard& shard, const std::string& folder) {
  const auto runtime = ServerRuntime::Start({}, {&shard});
  if (!runtime.ok()) return runtime.status();
  ShardLinkPatience patience;
  patience.checkpoint_attempt = absl::Milliseconds(200);
  const auto link = GrpcShards({}, patience)((*runtime)->address());
  if (!link.ok()) return link.status();
  WriteCheckpointRequest request;
  request.set_directory(folder);
  request.set_step(7);
  return (*link)->WriteCheckpoint(request);
}

TEST(GrpcShardLinkTest, AsksAgainForACheckpointThatIsLongInComing) {
  FakeShard shard({grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::DEADLINE_EXCEEDED,
                   grpc::StatusCode::OK});
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const WriteCheckpointReply reply, WriteOn(shard, "/c"));
  EXPECT_EQ(reply.step(), 7u);
  EXPECT_EQ(shard.calls, 3u);
}

TEST(GrpcShardLinkTest, AFullDiskIsToldAtOnceWithTheShard) {
  FakeShard shard({grpc::StatusCode::RESOURCE_EXHAUSTED});
  EXPECT_THAT(WriteOn(shard, "/c"),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("writing a checkpoint on shard 127.0.0.1:")));
  EXPECT_EQ(shard.calls, 1u);
}

TEST(GrpcShardLinkTest, AShardThatIsAwayIsNamed) {
  ShardLinkPatience patience;
  patience.away = absl::Milliseconds(50);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto link, GrpcShards({}, patience)("127.0.0.1:1"));
  EXPECT_THAT(link->StopAt(3), StatusIs(absl::StatusCode::kUnavailable,
                                        HasSubstr("stopping shard 127.0.0.1:1: ")));
  EXPECT_THAT(link->WriteCheckpoint({}),
              StatusIs(absl::StatusCode::kUnavailable,
                       HasSubstr("writing a checkpoint on shard 127.0.0.1:1: ")));
}

}  // namespace
}  // namespace syncline
