#ifndef SYNCLINE_SERVER_SERVICE_PARAMETER_SERVICE_H_
#define SYNCLINE_SERVER_SERVICE_PARAMETER_SERVICE_H_

#include "common/io/file_system.h"
#include "proto/parameter_server.grpc.pb.h"
#include "server/service/shard_host.h"

namespace syncline {

// The shard's gRPC service: each call checks the request, calls the core, maps the error, fills the
// reply. Push and Pull get and give raw buffers, so that tensor bytes never pass through protobuf
// (common/wire); they and Commit run on gRPC's callback threads and never block there for another
// worker. The calls of the coordinator may block.
class ParameterService final
    : public ParameterServer::WithRawCallbackMethod_Push<
          ParameterServer::WithRawCallbackMethod_Pull<
              ParameterServer::WithCallbackMethod_Commit<ParameterServer::Service>>> {
 public:
  // Both must outlive the service. Checkpoints are written to `files`.
  ParameterService(ShardHost* host, FileSystem* files) : host_(host), files_(files) {}

  grpc::ServerUnaryReactor* Push(grpc::CallbackServerContext* context,
                                 const grpc::ByteBuffer* request,
                                 grpc::ByteBuffer* reply) override;
  grpc::ServerUnaryReactor* Pull(grpc::CallbackServerContext* context,
                                 const grpc::ByteBuffer* request,
                                 grpc::ByteBuffer* reply) override;
  grpc::ServerUnaryReactor* Commit(grpc::CallbackServerContext* context,
                                   const CommitRequest* request, CommitReply* reply) override;

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
  absl::Status DoPush(const grpc::ByteBuffer& request, grpc::ByteBuffer* reply);
  absl::StatusOr<bool> DoCommit(const CommitRequest& request);

  ShardHost* const host_;
  FileSystem* const files_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SERVICE_PARAMETER_SERVICE_H_
