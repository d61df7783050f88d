// What peers and files may get wrong: each has a clear error, and the cluster works on.

#include <cmath>
#include <cstring>
#include <fstream>

#include "absl/synchronization/notification.h"
#include "common/io/fault_file_system.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/rpc/grpc_status.h"
#include "common/status/status_matchers.h"
#include "common/wire/protocol_version.h"
#include "gmock/gmock.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "proto/parameter_server.grpc.pb.h"
#include "tests/integration/in_process_cluster.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

// One shard in async mode that holds tensor "w" of 2 floats, with one worker admitted.
class ShardFixture : public testing::Test {
 protected:
  void SetUp() override { Start(NONFINITE_REJECT); }

  void Start(NonFinite on_nonfinite, Codec push_codec = CODEC_NONE) {
    auto started = ShardServer::Start({});
    SYNCLINE_ASSERT_OK(started);
    server_ = *std::move(started);
    channel_ = *MakeChannel(server_->address(), {});
    stub_ = ParameterServer::NewStub(channel_);
    ConfigureRequest configure;
    configure.mutable_job()->set_sync_mode(ASYNC);
    configure.mutable_job()->set_on_nonfinite(on_nonfinite);
    configure.mutable_job()->set_push_codec(push_codec);
    configure.mutable_job()->mutable_optimizer()->set_learning_rate(1);
    ShardMap* map = configure.mutable_map();
    map->set_epoch(1);
    map->set_chunk_bytes(4096);
    TensorSpec* tensor = map->add_tensors();
    tensor->set_name("w");
    tensor->add_shape(2);
    map->add_owner(0);
    map->add_shards(server_->address());
    SYNCLINE_ASSERT_OK(Ask<ConfigureReply>(&ParameterServer::Stub::Configure, configure));
    UpdateMemberRequest admit;
    admit.set_incarnation(1);
    SYNCLINE_ASSERT_OK(Ask<UpdateMemberReply>(&ParameterServer::Stub::UpdateMember, admit));
  }

  template <typename Reply, typename Method, typename Request>
  absl::StatusOr<Reply> Ask(Method method, const Request& request) {
    return Call<Reply>(*stub_, method, request, absl::Seconds(10));
  }

  PushRequest Push(std::vector<float> values) {
    PushRequest push;
    Sender* sender = push.mutable_header()->mutable_sender();
    sender->set_incarnation(1);
    sender->set_protocol(kProtocolVersion);
    sender->set_map_epoch(1);
    push.mutable_header()->set_clock(clock_++);
    push.add_chunks()->set_data(values.data(), values.size() * sizeof(float));
    return push;
  }
  // By way of protobuf's own stub: any client can talk to a shard.
  absl::Status Send(const PushRequest& push) {
    return Ask<PushReply>(&ParameterServer::Stub::Push, push).status();
  }

  absl::Status SendBytes(const std::string& method, const std::string& bytes) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer reply;
    absl::Notification done;
    grpc::Status status;
    stub.UnaryCall(&context, "/syncline.ParameterServer/" + method, grpc::StubOptions(), &request,
                   &reply, [&](grpc::Status s) {
                     status = std::move(s);
                     done.Notify();
                   });
    done.WaitForNotification();
    return FromGrpcStatus(status);
  }

  // The weights, which show that a refused push changed nothing.
  std::vector<float> Weights() {
    PullRequest pull;
    pull.set_observer(true);
    pull.add_chunks(0);
    pull.mutable_sender()->set_protocol(kProtocolVersion);
    const auto reply = Ask<PullReply>(&ParameterServer::Stub::Pull, pull);
    SYNCLINE_EXPECT_OK(reply.status());
    std::vector<float> weights(2);
    if (reply.ok() && reply->chunks_size() == 1) {
      std::memcpy(weights.data(), reply->chunks(0).data().data(), 8);
    }
    return weights;
  }

  std::unique_ptr<ShardServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<ParameterServer::Stub> stub_;
  uint64_t clock_ = 0;
};

TEST_F(ShardFixture, GarbageFrames) {
  EXPECT_THAT(SendBytes("Push", "\xff\xff garbage"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("byte")));
  EXPECT_THAT(SendBytes("Pull", "\xff\xff garbage"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("PullRequest")));
  std::string cut;
  Push({1, 2}).SerializeToString(&cut);
  EXPECT_THAT(SendBytes("Push", cut.substr(0, cut.size() - 3)),
              StatusIs(StatusCode::kInvalidArgument, testing::_));
  SYNCLINE_EXPECT_OK(Send(Push({1, 2})));
  EXPECT_EQ(Weights(), std::vector<float>({-1, -2}));
}

TEST_F(ShardFixture, WrongShapesAndUnknownChunks) {
  EXPECT_THAT(Send(Push({1, 2, 3})),
              StatusIs(StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("tensor w"), HasSubstr("8 bytes"), HasSubstr("12"))));
  PushRequest unknown = Push({1, 2});
  unknown.mutable_chunks(0)->set_chunk(7);
  EXPECT_THAT(Send(unknown), StatusIs(StatusCode::kInvalidArgument, HasSubstr("chunk 7")));
  // A right chunk beside a wrong one is not applied either.
  PushRequest both = Push({1, 2});
  *both.add_chunks() = unknown.chunks(0);
  EXPECT_FALSE(Send(both).ok());
  EXPECT_EQ(Weights(), std::vector<float>({0, 0}));
}

TEST_F(ShardFixture, StrangersAndOtherVersions) {
  PushRequest other = Push({1, 2});
  other.mutable_header()->mutable_sender()->set_protocol(99);
  EXPECT_THAT(Send(other), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("99")));
  PushRequest stranger = Push({1, 2});
  stranger.mutable_header()->mutable_sender()->set_rank(5);
  EXPECT_THAT(Send(stranger), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("join again")));
  PushRequest other_map = Push({1, 2});
  other_map.mutable_header()->mutable_sender()->set_map_epoch(3);
  EXPECT_THAT(Send(other_map), StatusIs(StatusCode::kUnavailable, HasSubstr("epoch 3")));
  // Of a push by an older map only where its chunks are matters; a commit goes to the shards of the map.
  CommitRequest old_map;
  *old_map.mutable_sender() = other_map.header().sender();
  old_map.mutable_sender()->set_map_epoch(0);
  EXPECT_THAT(Ask<CommitReply>(&ParameterServer::Stub::Commit, old_map).status(),
              StatusIs(StatusCode::kAborted, HasSubstr("fetch the shard map")));
  EXPECT_EQ(Weights(), std::vector<float>({0, 0}));
}

TEST_F(ShardFixture, OversizeMessages) {
  EXPECT_THAT(Send(Push(std::vector<float>(20 << 20))),
              StatusIs(StatusCode::kResourceExhausted, HasSubstr("larger than max")));
  SYNCLINE_EXPECT_OK(Send(Push({1, 2})));
}

TEST_F(ShardFixture, NonFiniteGradientsByPolicy) {
  EXPECT_THAT(Send(Push({1, NAN})),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("tensor w holds NaN")));
  EXPECT_EQ(Weights(), std::vector<float>({0, 0}));

  Start(NONFINITE_SKIP);
  const auto skipped =
      Ask<PushReply>(&ParameterServer::Stub::Push, Push({1, INFINITY}));
  SYNCLINE_ASSERT_OK(skipped);
  EXPECT_EQ(skipped->skipped_size(), 1);
  EXPECT_EQ(Weights(), std::vector<float>({0, 0}));

  Start(NONFINITE_APPLY);
  SYNCLINE_EXPECT_OK(Send(Push({1, NAN})));
  EXPECT_EQ(Weights()[0], -1);
  EXPECT_TRUE(std::isnan(Weights()[1]));
}

// A stream of a worker's state: whose it is, then slots of chunk 0.
class WorkerStateFixture : public ShardFixture {
 protected:
  void SetUp() override { Start(NONFINITE_REJECT, TOPK); }

  static WorkerStatePart Head(uint64_t parts = 1) {
    WorkerStatePart head;
    head.set_parts(parts);
    head.mutable_sender()->set_incarnation(1);
    head.mutable_sender()->set_protocol(kProtocolVersion);
    head.mutable_sender()->set_map_epoch(1);
    head.set_leaving(true);
    return head;
  }
  static WorkerStatePart Floats(size_t count) {
    WorkerStatePart part;
    part.set_data(std::string(count * sizeof(float), '\0'));
    return part;
  }
  absl::Status SendState(const std::vector<WorkerStatePart>& parts, bool break_off = false) {
    grpc::ClientContext context;
    KeepWorkerStateReply reply;
    const auto stream = stub_->KeepWorkerState(&context, &reply);
    for (const WorkerStatePart& part : parts) stream->Write(part);
    if (break_off) {
      context.TryCancel();
    } else {
      stream->WritesDone();
    }
    return FromGrpcStatus(stream->Finish());
  }
  // Messages of what the shard keeps for rank 0.
  int Kept() {
    grpc::ClientContext context;
    FetchWorkerStateRequest request;
    *request.mutable_sender() = Head().sender();
    const auto stream = stub_->FetchWorkerState(&context, request);
    WorkerStatePart part;
    int parts = 0;
    while (stream->Read(&part)) ++parts;
    SYNCLINE_EXPECT_OK(FromGrpcStatus(stream->Finish()));
    return parts;
  }
};

TEST_F(WorkerStateFixture, BadStreamsLeaveNothing) {
  EXPECT_THAT(SendState({}), StatusIs(StatusCode::kInvalidArgument, HasSubstr("sender")));
  EXPECT_THAT(SendState({Floats(2)}), StatusIs(StatusCode::kInvalidArgument, HasSubstr("sender")));
  EXPECT_THAT(SendState({Head(), Floats(3)}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("12 bytes, the chunk 8")));
  EXPECT_THAT(SendState({Head(2), Floats(2), Floats(2)}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("twice")));
  WorkerStatePart elsewhere = Floats(2);
  elsewhere.set_chunk(7);
  EXPECT_THAT(SendState({Head(), elsewhere}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("there is no chunk 7")));
  EXPECT_THAT(SendState({Head(2), Floats(2)}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("parts is 2, but 1 came")));
  EXPECT_THAT(SendState({Head(2), Floats(2)}, /*break_off=*/true),
              StatusIs(StatusCode::kCancelled));
  EXPECT_EQ(Kept(), 0);
  SYNCLINE_EXPECT_OK(SendState({Head(), Floats(2)}));
  EXPECT_EQ(Kept(), 2);
}

TEST_F(ShardFixture, APortInUse) {
  ShardServer::Options options;
  options.listen = server_->address();
  EXPECT_THAT(ShardServer::Start(options).status(),
              StatusIs(StatusCode::kUnavailable, HasSubstr("--listen=" + server_->address())));
}

TEST(CoordinatorTest, OtherVersionsAndOtherModels) {
  JobManifest job = SmallJob(40, 60, 100);
  job.set_workers(1);
  InProcessCluster cluster(job);
  JoinWorkerRequest join;
  join.set_protocol(99);
  EXPECT_THAT(Call<JoinWorkerReply>(cluster.stub(), &Coordinator::Stub::JoinWorker, join,
                                    absl::Seconds(10)).status(),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("99")));
  cluster.StartWorker(absl::Milliseconds(5));
  SYNCLINE_ASSERT_OK(cluster.WaitUntil([](const auto& status) { return status.step() > 1; }));
  CreateTensorsRequest other;
  *other.mutable_tensors() = cluster.Status().map().tensors();
  other.mutable_tensors(0)->set_shape(0, 61);
  EXPECT_THAT(Call<CreateTensorsReply>(cluster.stub(), &Coordinator::Stub::CreateTensors, other,
                                       absl::Seconds(10)).status(),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr(other.tensors(0).name())));
  cluster.Finish();
}

TEST(WorkerTest, ATruncatedDataFileIsNamed) {
  const std::string file = FreshFolder("data") + "/train.csv";
  std::ofstream(file) << "1,2,0\n3,4\n";
  JobManifest job = SmallJob(2, 2, 1);
  job.mutable_data()->set_format(CSV);
  job.mutable_data()->clear_samples();
  job.mutable_data()->set_train(file);
  job.set_workers(1);
  InProcessCluster cluster(job);
  cluster.StartWorker();
  EXPECT_THAT(cluster.JoinWorkers(), testing::ResultOf([](const absl::Status& s) {
                return std::string(s.message()); }, HasSubstr(file)));
}

TEST(CheckpointTest, AFullDiskIsReportedAndTrainingGoesOnUntilThereIsRoom) {
  FaultFileSystem files;
  files.SetCapacity(15000);  // less than a checkpoint
  JobManifest job = SmallJob(40, 60, 400);
  job.mutable_checkpoint()->set_directory("/checkpoints");
  job.mutable_checkpoint()->set_interval_steps(10);
  job.set_workers(1);
  InProcessCluster cluster(job, "", absl::Seconds(5), &files);
  cluster.StartWorker(absl::Milliseconds(5));
  SYNCLINE_ASSERT_OK(cluster.WaitUntil([](const ClusterStatusReply& status) {
    return status.waiting_for().find("the disk is full") != std::string::npos;
  }));
  EXPECT_EQ(cluster.Status().last_checkpoint(), "");
  SYNCLINE_EXPECT_OK(cluster.JoinWorkers());
  EXPECT_EQ(cluster.Status().samples_total(), 800u) << "all of both epochs";
  EXPECT_NE(cluster.Status().phase(), ClusterStatusReply::FINISHED)
      << "a job whose last checkpoint is not written is not done";
  files.SetCapacity(1 << 20);
  SYNCLINE_EXPECT_OK(cluster.WaitUntilFinished());
  EXPECT_THAT(cluster.Status().last_checkpoint(), HasSubstr("0000000100"));
  EXPECT_TRUE(files.Exists(cluster.Status().last_checkpoint() + "/MANIFEST.json"));
}

TEST(CheckpointTest, AFolderThatCannotBeWrittenIsReportedAndTrainingGoesOn) {
  const std::string file = FreshFolder("blocked") + "/file";
  std::ofstream(file) << "not a folder";
  JobManifest job = SmallJob(40, 60, 100);
  job.mutable_checkpoint()->set_directory(file + "/checkpoints");
  job.set_workers(1);
  InProcessCluster cluster(job);
  cluster.StartWorker();
  SYNCLINE_EXPECT_OK(cluster.JoinWorkers());
  SYNCLINE_EXPECT_OK(cluster.WaitUntil([&](const ClusterStatusReply& status) {
    return status.waiting_for().find(file) != std::string::npos;
  }));
  EXPECT_EQ(cluster.Status().samples_total(), 200u);
}

}  // namespace
}  // namespace syncline
