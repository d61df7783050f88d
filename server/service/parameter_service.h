#ifndef SYNCLINE_SERVER_SERVICE_PARAMETER_SERVICE_H_
#define SYNCLINE_SERVER_SERVICE_PARAMETER_SERVICE_H_

#include "common/io/file_system.h"
#include "common/memory/local_plane.h"
#include "common/rpc/raw_call.h"
#include "common/rpc/role_check.h"
#include "proto/parameter_server.grpc.pb.h"
#include "server/durability/shard_checkpoints.h"
#include "server/service/shard_host.h"
#include "server/service/tensor_calls.h"

namespace syncline {

// The shard's gRPC service: each call checks the request, calls the core, maps the error, fills the
// reply. Push, Pull, Commit, PushPull and HandOver get and give raw buffers, so that tensor bytes never pass through
// protobuf (TensorCalls); they run on the threads of completion queues and never block there for
// another worker. The calls of the coordinator may block, on gRPC's own threads.
class ParameterService final
    : public ParameterServer::WithRawMethod_Push<
          ParameterServer::WithRawMethod_Pull<ParameterServer::WithRawMethod_Commit<
              ParameterServer::WithRawMethod_PushPull<
                  ParameterServer::WithRawMethod_HandOver<ParameterServer::Service>>>>> {
 public:
  // All must outlive the service. Checkpoints are written to `files`.
  ParameterService(ShardHost* host, TensorCalls* calls, LocalPlane* local, FileSystem* files, CallerRoles callers)
      : host_(host), calls_(calls), local_(local), checkpoints_(files), callers_(callers) {}

  // Serves pushes, pulls and commits that come to `queue`. For ServerRuntime::Options::listen_on.
  void ListenOn(grpc::ServerCompletionQueue* queue);

  // What the service knows of itself, beside the shard's status.
  void FillStatus(ShardStatusReply* reply) const;

  grpc::Status AttachMemory(grpc::ServerContext* context, const AttachMemoryRequest* request,
                            AttachMemoryReply* reply) override;
  grpc::Status KeepWorkerState(grpc::ServerContext* context,
                               grpc::ServerReader<WorkerStatePart>* parts,
                               KeepWorkerStateReply* reply) override;
  grpc::Status FetchWorkerState(grpc::ServerContext* context,
                                const FetchWorkerStateRequest* request,
                                grpc::ServerWriter<WorkerStatePart>* parts) override;
  grpc::Status Configure(grpc::ServerContext* context, const ConfigureRequest* request,
                         ConfigureReply* reply) override;
  grpc::Status GetMap(grpc::ServerContext* context, const GetMapRequest* request,
                      GetMapReply* reply) override;
  grpc::Status ChangeMap(grpc::ServerContext* context, const ChangeMapRequest* request,
                         ChangeMapReply* reply) override;
  grpc::Status UpdateMember(grpc::ServerContext* context, const UpdateMemberRequest* request,
                            UpdateMemberReply* reply) override;
  grpc::Status StopAt(grpc::ServerContext* context, const StopAtRequest* request,
                      StopAtReply* reply) override;
  grpc::Status EndJob(grpc::ServerContext* context, const EndJobRequest* request, EndJobReply* reply) override;
  grpc::Status WriteCheckpoint(grpc::ServerContext* context, const WriteCheckpointRequest* request,
                               WriteCheckpointReply* reply) override;
  grpc::Status StepNorms(grpc::ServerContext* context, const StepNormsRequest* request,
                         StepNormsReply* reply) override;
  grpc::Status ShardStatus(grpc::ServerContext* context, const ShardStatusRequest* request,
                           ShardStatusReply* reply) override;

 private:
  ShardHost* const host_;
  TensorCalls* const calls_;
  LocalPlane* const local_;
  ShardCheckpoints checkpoints_;
  const CallerRoles callers_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SERVICE_PARAMETER_SERVICE_H_
