#ifndef SYNCLINE_SERVER_COORDINATOR_ETCD_CLIENT_H_
#define SYNCLINE_SERVER_COORDINATOR_ETCD_CLIENT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/rpc/security.h"
#include "proto/etcd.grpc.pb.h"

namespace syncline {

// Where in which etcd.
struct EtcdAddress {
  std::vector<std::string> endpoints;  // HOST:PORT
  std::string prefix;                  // of every key, without a slash at its end
};

// Reads `etcd://HOST:PORT[,HOST:PORT...][/PREFIX]`; INVALID_ARGUMENT says what is wrong with it.
absl::StatusOr<EtcdAddress> ParseEtcdAddress(absl::string_view url,
                                             absl::string_view default_prefix);

// Calls to an etcd of several members: whichever answers. Every call has a deadline and asks each member
// once at most; UNAVAILABLE when none answered. Thread-safe.
class EtcdClient {
 public:
  // Connects when it is first used. The credentials are those that members of the job show one another.
  static absl::StatusOr<std::unique_ptr<EtcdClient>> Create(
      const std::vector<std::string>& endpoints, const SecurityOptions& security);

  struct Lease {
    int64_t id = 0;
    absl::Duration length;
  };
  // etcd may make it longer.
  absl::StatusOr<Lease> Grant(absl::Duration length);
  // NOT_FOUND when it has ended.
  absl::Status KeepAlive(int64_t lease);
  absl::Status Revoke(int64_t lease);

  // Does everything or nothing. `succeeded` says whether the comparisons held.
  absl::StatusOr<etcdserverpb::TxnResponse> Transact(const etcdserverpb::TxnRequest& request);
  // All keys that begin with `prefix` (which is not empty and does not end with '\xff') and their values, in the
  // order of the keys, as they were at one moment.
  absl::StatusOr<std::vector<etcdserverpb::KeyValue>> ReadAll(const std::string& prefix);

 private:
  struct Member {
    std::string endpoint;
    std::unique_ptr<etcdserverpb::KV::Stub> kv;
    std::unique_ptr<etcdserverpb::Lease::Stub> lease;
  };

  absl::Status Ask(const std::function<absl::Status(const Member&)>& call);

  std::vector<Member> members_;
  std::atomic<size_t> current_{0};  // answered last
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_ETCD_CLIENT_H_
