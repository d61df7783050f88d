#ifndef SYNCLINE_COMMON_RPC_SERVER_RUNTIME_H_
#define SYNCLINE_COMMON_RPC_SERVER_RUNTIME_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/completion_loop.h"
#include "common/rpc/health_service.h"
#include "common/rpc/roles.h"
#include "common/rpc/security.h"
#include "grpcpp/grpcpp.h"

namespace syncline {

// A gRPC server as every daemon has it: message limits, TLS or loopback, the health service and
// reflection. Thread-safe.
class ServerRuntime {
 public:
  struct Options {
    // host:port; port 0 takes a free one.
    std::string listen = "127.0.0.1:0";
    SecurityOptions security;
    // The roles that have any business with this server, where certificates name them.
    Roles callers = kEveryRole;
    // Larger messages are refused with RESOURCE_EXHAUSTED.
    int max_message_bytes = 64 << 20;
    // Begins to serve asynchronous methods on a completion queue; called once for each of the
    // queues, which have a thread each (CompletionLoop), before it is served. Null: there are no
    // such methods.
    std::function<void(grpc::ServerCompletionQueue*)> listen_on;
    int queues = 1;
  };

  // Listens and serves. `services` must outlive the runtime. Health is NOT_SERVING until
  // SetServing(true). FAILED_PRECONDITION for an address that needs TLS, UNAVAILABLE naming --listen
  // when the address is in use or not this machine's.
  static absl::StatusOr<std::unique_ptr<ServerRuntime>> Start(
      const Options& options, const std::vector<grpc::Service*>& services);
  // Shuts down at once if it was not before.
  ~ServerRuntime();

  // host:port with the port taken.
  const std::string& address() const { return address_; }
  void SetServing(bool serving);
  // Takes no new calls, gives those under way `grace`, cancels the rest, and waits. Once.
  void Shutdown(absl::Duration grace);

 private:
  ServerRuntime() = default;

  std::string address_;
  HealthService health_;
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues_;
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::unique_ptr<CompletionLoop>> loops_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_RPC_SERVER_RUNTIME_H_
