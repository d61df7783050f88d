#ifndef SYNCLINE_WORKER_TEAM_NETWORK_LINK_H_
#define SYNCLINE_WORKER_TEAM_NETWORK_LINK_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <set>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/completion_loop.h"
#include "common/tensor/fragments.h"
#include "grpcpp/channel.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/generic/generic_stub.h"
#include "proto/team.pb.h"
#include "worker/client/flow_window.h"

namespace syncline {

// The way to a process of a team through the network: by gRPC, several messages at a time, each again and again until
// it has arrived or the link is closed. They may overtake each other. Thread-safe; a thread of its own.
class NetworkLink {
 public:
  using Done = std::function<void(absl::Status)>;

  explicit NetworkLink(const std::shared_ptr<grpc::Channel>& channel);
  // Closes, and waits until nothing is under way. Must not be called from a `done`.
  ~NetworkLink();

  // Does not block. The memory of `data` must stay as it is until `done`, which is called once.
  void Send(TeamMessage head, const Fragments& data, Done done);
  // What has not arrived ends with CANCELLED.
  void Close();
  // Nothing is under way.
  bool idle() const;

 private:
  class Call;

  // Whether there is room for the call, which is under way then.
  bool Admit(Call* call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool closed() const;
  // A call has ended: others that waited for room begin.
  void Ended(Call* call, bool delivered);

  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  mutable absl::Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  FlowWindow window_ ABSL_GUARDED_BY(mu_);
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;          // under way
  std::set<Call*> calls_ ABSL_GUARDED_BY(mu_);     // under way; they delete themselves
  std::deque<std::unique_ptr<Call>> waiting_ ABSL_GUARDED_BY(mu_);  // for room
  CompletionLoop loop_{&queue_};
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TEAM_NETWORK_LINK_H_
