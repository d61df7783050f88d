#include "server/chunk_lane.h"

#include <memory>
#include <string>
#include <vector>

#include "common/memory/local_plane.h"
#include "common/rpc/server_runtime.h"
#include "common/status/status_matchers.h"
#include "common/wire/message.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/parameter_server.grpc.pb.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::SizeIs;

constexpr absl::Duration kLong = absl::Seconds(20);

// Another shard on this host. Of a message it keeps the records' chunks, and wants the first of them whole.
class FakeShard : public ParameterServer::Service {
 public:
  FakeShard()
      : plane_([this](const std::shared_ptr<WorkerLink>& link, const LocalFrame& call, absl::string_view body) {
          Serve(link, call, body);
        }) {
    runtime_ = *ServerRuntime::Start({}, {this});
  }
  ~FakeShard() override {
    plane_.Close();
    runtime_->Shutdown(absl::ZeroDuration());
  }

  grpc::Status AttachMemory(grpc::ServerContext*, const AttachMemoryRequest* request,
                            AttachMemoryReply* reply) override {
    *reply = plane_.Offer(*request);
    return grpc::Status::OK;
  }
  grpc::Status HandOver(grpc::ServerContext*, const HandOverRequest* request, HandOverReply* reply) override {
    by_network.push_back(request->map_epoch());
    reply->add_wanting(request->records(0).chunk());
    return grpc::Status::OK;
  }
  std::string address() const { return runtime_->address(); }
  void EndLinks() { plane_.Close(); }

  std::vector<uint64_t> by_network, by_memory;
  bool silent = false;

 private:
  void Serve(const std::shared_ptr<WorkerLink>& link, const LocalFrame& call, absl::string_view body) {
    LentMessage lent;
    HandOverRequest request;
    HandOverReply reply;
    const bool right = call.kind == LocalFrame::kHandOver && lent.ParseFromArray(body.data(), body.size());
    const auto bytes = link->Read(lent.segment(), lent.offset(), lent.bytes());
    if (!right || !bytes.ok() || !request.ParseFromArray(bytes->pieces()[0].data, bytes->size())) {
      return link->Reply(call, absl::InvalidArgumentError("not what was sent"), "");
    }
    by_memory.push_back(request.map_epoch());
    reply.add_wanting(request.records(0).chunk());
    if (!silent) link->Reply(call, absl::OkStatus(), reply.SerializeAsString());
  }

  LocalPlane plane_;
  std::unique_ptr<ServerRuntime> runtime_;
};

// `bytes` of a tensor, or a few more in all.
grpc::ByteBuffer Message(uint64_t epoch, size_t bytes = 64) {
  HandOverRequest request;
  request.set_map_epoch(epoch);
  request.add_records()->set_chunk(7);
  request.add_chunks()->set_data(std::string(bytes, 'x'));
  return EncodeMessage(request);
}

void ExpectTaken(const absl::StatusOr<HandOverReply>& reply) {
  SYNCLINE_ASSERT_OK(reply.status());
  EXPECT_THAT(reply->wanting(), ElementsAre(7));
}

TEST(ChunkLaneTest, OnOneHostMessagesGoThroughMemory) {
  FakeShard shard;
  ChunkLane lane(shard.address(), {});
  ExpectTaken(lane.Call(Message(1), kLong));
  ExpectTaken(lane.Call(Message(2), kLong));
  ExpectTaken(lane.Call(Message(3, 9 << 20), kLong));  // more than was lent
  EXPECT_THAT(shard.by_memory, ElementsAre(1, 2, 3));
  EXPECT_THAT(shard.by_network, SizeIs(0));
}

TEST(ChunkLaneTest, NotWhereMemoryIsNotToBeShared) {
  FakeShard shard;
  ChunkLane lane(shard.address(), {{}, false});
  ExpectTaken(lane.Call(Message(1), kLong));
  EXPECT_THAT(shard.by_network, ElementsAre(1));
  EXPECT_FALSE(lane.linked());
}

TEST(ChunkLaneTest, WhenTheLinkHasEndedTheNetworkIsThere) {
  FakeShard shard;
  ChunkLane lane(shard.address(), {});
  ExpectTaken(lane.Call(Message(1), kLong));
  shard.EndLinks();
  // The end may be seen when something is to be sent, or after that.
  if (!lane.Call(Message(2), kLong).ok()) ExpectTaken(lane.Call(Message(2), kLong));
  EXPECT_THAT(shard.by_network, ElementsAre(2));
}

TEST(ChunkLaneTest, ASilentShardIsNotWaitedForAndItsMemoryNotWrittenToAgain) {
  FakeShard shard;
  shard.silent = true;
  ChunkLane lane(shard.address(), {});
  EXPECT_THAT(lane.Call(Message(1), absl::Milliseconds(50)).status(), StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_FALSE(lane.linked());
  ExpectTaken(lane.Call(Message(2), kLong));
  EXPECT_THAT(shard.by_network, ElementsAre(2));
}

}  // namespace
}  // namespace syncline
