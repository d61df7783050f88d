#ifndef SYNCLINE_SERVER_SERVICE_PULL_REACTOR_H_
#define SYNCLINE_SERVER_SERVICE_PULL_REACTOR_H_

#include <memory>

#include "absl/synchronization/mutex.h"
#include "grpcpp/grpcpp.h"
#include "proto/parameter_server.pb.h"
#include "server/shard/shard.h"

namespace syncline {

// One pull, from its request to the end of its reply; it deletes itself. The pull may wait in the
// shard for other workers, and is taken out when the caller gives up.
class PullReactor final : public grpc::ServerUnaryReactor {
 public:
  // Begins. The reactor belongs to gRPC from here on.
  static PullReactor* Start(std::shared_ptr<Shard> shard, const PullRequest& request,
                            grpc::ByteBuffer* reply);

  void OnCancel() override;
  void OnDone() override { delete this; }

 private:
  // Outlives the reactor: the shard may answer before Pull has returned the ticket.
  struct Ticket {
    absl::Mutex mu;
    Shard::PullTicket number ABSL_GUARDED_BY(mu) = 0;
    bool cancelled ABSL_GUARDED_BY(mu) = false;
  };

  PullReactor(std::shared_ptr<Shard> shard, grpc::ByteBuffer* reply)
      : shard_(std::move(shard)), reply_(reply), ticket_(std::make_shared<Ticket>()) {}
  void Answer(const absl::StatusOr<Shard::PullResult>& result);

  const std::shared_ptr<Shard> shard_;
  grpc::ByteBuffer* const reply_;
  const std::shared_ptr<Ticket> ticket_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SERVICE_PULL_REACTOR_H_
