#ifndef SYNCLINE_SERVER_COORDINATOR_COORDINATOR_SERVICE_H_
#define SYNCLINE_SERVER_COORDINATOR_COORDINATOR_SERVICE_H_

#include "common/rpc/role_check.h"
#include "proto/coordinator.grpc.pb.h"
#include "server/coordinator/coordinator.h"

namespace syncline {

// The coordinator on the network: checks the protocol of members that come, calls the core, maps
// errors. Calls block a thread of gRPC's each. Thread-safe.
class CoordinatorService final : public Coordinator::Service {
 public:
  // `core` must outlive the service.
  explicit CoordinatorService(CoordinatorCore* core, CallerRoles callers = {}) : core_(core), callers_(callers) {}

  grpc::Status RegisterShard(grpc::ServerContext* context, const RegisterShardRequest* request,
                             RegisterShardReply* reply) override;
  grpc::Status JoinWorker(grpc::ServerContext* context, const JoinWorkerRequest* request,
                          JoinWorkerReply* reply) override;
  grpc::Status CreateTensors(grpc::ServerContext* context, const CreateTensorsRequest* request,
                             CreateTensorsReply* reply) override;
  grpc::Status Lease(grpc::ServerContext* context, const LeaseRequest* request,
                     LeaseReply* reply) override;
  grpc::Status Heartbeat(grpc::ServerContext* context, const HeartbeatRequest* request,
                         HeartbeatReply* reply) override;
  grpc::Status LeaveWorker(grpc::ServerContext* context, const LeaveWorkerRequest* request,
                           LeaveWorkerReply* reply) override;
  grpc::Status ClusterStatus(grpc::ServerContext* context, const ClusterStatusRequest* request,
                             ClusterStatusReply* reply) override;
  grpc::Status Checkpoint(grpc::ServerContext* context, const CheckpointRequest* request,
                          CheckpointReply* reply) override;
  grpc::Status Drain(grpc::ServerContext* context, const DrainRequest* request,
                     DrainReply* reply) override;
  grpc::Status Scale(grpc::ServerContext* context, const ScaleRequest* request,
                     ScaleReply* reply) override;
  grpc::Status JoinTeam(grpc::ServerContext* context, const JoinTeamRequest* request,
                        JoinTeamReply* reply) override;

 private:
  CoordinatorCore* const core_;
  const CallerRoles callers_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_COORDINATOR_SERVICE_H_
