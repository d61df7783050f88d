#ifndef SYNCLINE_SERVER_SERVICE_SERVING_SERVICE_H_
#define SYNCLINE_SERVER_SERVICE_SERVING_SERVICE_H_

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "proto/parameter_server.grpc.pb.h"
#include "server/service/served_checkpoint.h"

namespace syncline {

// What a server that only serves checkpoints answers: pulls, the map and its status. All else is refused, saying why.
// Pulls run on the threads of completion queues, as those of a shard (ParameterService). Thread-safe.
class ServingService final : public ParameterServer::WithRawMethod_Pull<ParameterServer::Service> {
 public:
  // Serves pulls that come to `queue`. For ServerRuntime::Options::listen_on.
  void ListenOn(grpc::ServerCompletionQueue* queue);

  // From now on. Calls under way are answered from the one before, which goes with the last of them.
  void Serve(std::shared_ptr<ServedCheckpoint> checkpoint);
  // UNAVAILABLE while there is none.
  absl::StatusOr<std::shared_ptr<ServedCheckpoint>> served() const;

  grpc::Status GetMap(grpc::ServerContext* context, const GetMapRequest* request, GetMapReply* reply) override;
  grpc::Status ShardStatus(grpc::ServerContext* context, const ShardStatusRequest* request,
                           ShardStatusReply* reply) override;

  grpc::Status Push(grpc::ServerContext* context, const PushRequest* request, PushReply* reply) override;
  grpc::Status PushPull(grpc::ServerContext* context, const PushRequest* request, PullReply* reply) override;
  grpc::Status Commit(grpc::ServerContext* context, const CommitRequest* request, CommitReply* reply) override;
  grpc::Status Configure(grpc::ServerContext* context, const ConfigureRequest* request,
                         ConfigureReply* reply) override;

 private:
  mutable absl::Mutex mu_;
  std::shared_ptr<ServedCheckpoint> served_ ABSL_GUARDED_BY(mu_);
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SERVICE_SERVING_SERVICE_H_
