#ifndef SYNCLINE_SERVER_SERVICE_PARAMETER_SERVICE_H_
#define SYNCLINE_SERVER_SERVICE_PARAMETER_SERVICE_H_

#include "common/io/file_system.h"
#include "common/rpc/raw_call.h"
#include "proto/parameter_server.grpc.pb.h"
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
  // Both must outlive the service. Checkpoints are written to `files`.
  ParameterService(ShardHost* host, FileSystem* files) : host_(host), files_(files) {}

  // Serves pushes, pulls and commits that come to `queue`. For ServerRuntime::Options::listen_on.
  void ListenOn(grpc::ServerCompletionQueue* queue);

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
  absl::StatusOr<grpc::ByteBuffer> HandlePush(const grpc::ByteBuffer& buffer);
  absl::StatusOr<grpc::ByteBuffer> HandleCommit(const grpc::ByteBuffer& buffer);
  // A pull may wait in the shard for other workers; it is taken out when the caller gives up.
  void ServePull(RawCall* call);

  ShardHost* const host_;
  FileSystem* const files_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SERVICE_PARAMETER_SERVICE_H_
