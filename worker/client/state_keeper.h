#ifndef SYNCLINE_WORKER_CLIENT_STATE_KEEPER_H_
#define SYNCLINE_WORKER_CLIENT_STATE_KEEPER_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/cluster/ids.h"
#include "proto/parameter_server.grpc.pb.h"
#include "worker/client/call_group.h"
#include "worker/client/client.h"
#include "worker/client/gradient_encoder.h"
#include "worker/client/router.h"

namespace syncline {

// Takes what the worker carries from step to step to the shards and back (Client::HandInState and
// TakeOverState): each shard keeps what belongs to its own chunks. Not thread-safe.
class StateKeeper {
 public:
  struct Options {
    Sender sender;
    // host:port, by shard, and a way to each.
    std::vector<std::string> addresses;
    std::vector<std::unique_ptr<ParameterServer::Stub>> shards;
    const Router* router = nullptr;
    // Nothing may be encoded during a call.
    GradientEncoder* encoder = nullptr;
    CallGroup* calls = nullptr;
    // How long a shard may be away.
    absl::Duration patience;
  };

  explicit StateKeeper(Options options) : options_(std::move(options)) {}
  // The call group must be closed before, or this waits for the shards.
  ~StateKeeper();

  absl::Status HandIn(Clock clock, const Client::OwnState& own, bool leaving);
  absl::StatusOr<bool> TakeOver(Client::OwnState* own);

 private:
  using Parts = std::vector<WorkerStatePart>;

  Parts PartsOf(size_t shard, const WorkerStatePart& head, const Client::OwnState& own) const;
  absl::Status Call(size_t shard, const std::string& doing,
                    const std::function<absl::Status(grpc::ClientContext*)>& call) const;
  absl::Status Send(size_t shard, const Parts& parts) const;
  absl::StatusOr<Parts> Fetch(size_t shard) const;
  absl::Status FinishSending();
  float* Place(const WorkerStatePart& part, const Client::OwnState& own) const;

  const Options options_;
  std::thread sending_;
  absl::Status sent_;  // written by `sending_`, which is joined before it is read
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_STATE_KEEPER_H_
