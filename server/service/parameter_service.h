#ifndef SYNCLINE_SERVER_SERVICE_PARAMETER_SERVICE_H_
#define SYNCLINE_SERVER_SERVICE_PARAMETER_SERVICE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "common/io/file_system.h"
#include "common/rpc/raw_call.h"
#include "common/threads/parallel_for.h"
#include "common/wire/chunk_message.h"
#include "proto/parameter_server.grpc.pb.h"
#include "server/service/lent_memory.h"
#include "server/service/shard_host.h"

namespace syncline {

// The shard's gRPC service: each call checks the request, calls the core, maps the error, fills the
// reply. Push, Pull and Commit get and give raw buffers, so that tensor bytes never pass through
// protobuf (common/wire); they run on the threads of completion queues and never block there for
// another worker. The calls of the coordinator may block, on gRPC's own threads.
class ParameterService final
    : public ParameterServer::WithRawMethod_Push<
          ParameterServer::WithRawMethod_Pull<
              ParameterServer::WithRawMethod_Commit<ParameterServer::Service>>> {
 public:
  // All must outlive the service. Checkpoints are written to `files`. `parallel_for` spreads large
  // pulls to lent memory over threads; it may be null.
  ParameterService(ShardHost* host, LentMemory* memory, FileSystem* files,
                   ParallelFor parallel_for)
      : host_(host), memory_(memory), files_(files), parallel_for_(std::move(parallel_for)) {}

  // Serves pushes, pulls and commits that come to `queue`. For ServerRuntime::Options::listen_on.
  void ListenOn(grpc::ServerCompletionQueue* queue);

  // What the service knows of itself, beside the shard's status.
  void FillStatus(ShardStatusReply* reply) const;

  grpc::Status AttachMemory(grpc::ServerContext* context, const AttachMemoryRequest* request,
                            AttachMemoryReply* reply) override;
  grpc::Status Configure(grpc::ServerContext* context, const ConfigureRequest* request,
                         ConfigureReply* reply) override;
  grpc::Status UpdateMember(grpc::ServerContext* context, const UpdateMemberRequest* request,
                            UpdateMemberReply* reply) override;
  grpc::Status StopAt(grpc::ServerContext* context, const StopAtRequest* request,
                      StopAtReply* reply) override;
  grpc::Status WriteCheckpoint(grpc::ServerContext* context, const WriteCheckpointRequest* request,
                               WriteCheckpointReply* reply) override;
  grpc::Status StepNorms(grpc::ServerContext* context, const StepNormsRequest* request,
                         StepNormsReply* reply) override;
  grpc::Status ShardStatus(grpc::ServerContext* context, const ShardStatusRequest* request,
                           ShardStatusReply* reply) override;

 private:
  // Where in a worker's memory the weights of a pull go.
  struct Place {
    std::shared_ptr<LentSegment> segment;
    std::vector<uint64_t> offsets;
    uint64_t attempt = 0;
  };

  absl::StatusOr<grpc::ByteBuffer> HandlePush(const grpc::ByteBuffer& buffer);
  // The gradients of a push, in the message or where the worker lends them.
  absl::StatusOr<std::vector<ChunkGradient>> GradientsOf(const DecodedPush& push,
                                                         const Shard& shard);
  absl::StatusOr<grpc::ByteBuffer> HandleCommit(const grpc::ByteBuffer& buffer);
  // Null for a pull whose reply carries the weights.
  absl::StatusOr<std::shared_ptr<const Place>> PlaceOf(const PullRequest& pull);
  absl::StatusOr<grpc::ByteBuffer> ReplyTo(const Shard::PullResult& result, const Place* place);
  // A pull may wait in the shard for other workers; it is taken out when the caller gives up.
  void ServePull(RawCall* call);

  ShardHost* const host_;
  LentMemory* const memory_;
  FileSystem* const files_;
  const ParallelFor parallel_for_;
  std::atomic<uint64_t> shared_bytes_{0};
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SERVICE_PARAMETER_SERVICE_H_
