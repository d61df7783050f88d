#ifndef SYNCLINE_COMMON_RPC_HEALTH_SERVICE_H_
#define SYNCLINE_COMMON_RPC_HEALTH_SERVICE_H_

#include "absl/synchronization/mutex.h"
#include "proto/health.grpc.pb.h"

namespace syncline {

// The health of a whole server, for whoever starts and stops daemons. In place of gRPC's own, whose
// callbacks bring polling threads that would then serve the shards' connections as well
// (common/rpc/completion_loop.h). Thread-safe.
class HealthService final : public grpc::health::v1::Health::Service {
 public:
  void SetServing(bool serving);
  // Ends all Watch calls; without it a server that shuts down would wait for them.
  void Close();

  grpc::Status Check(grpc::ServerContext* context,
                     const grpc::health::v1::HealthCheckRequest* request,
                     grpc::health::v1::HealthCheckResponse* response) override;
  grpc::Status Watch(grpc::ServerContext* context,
                     const grpc::health::v1::HealthCheckRequest* request,
                     grpc::ServerWriter<grpc::health::v1::HealthCheckResponse>* writer) override;

 private:
  absl::Mutex mu_;
  bool serving_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_RPC_HEALTH_SERVICE_H_
