#ifndef SYNCLINE_SERVER_COORDINATOR_ETCD_STORE_H_
#define SYNCLINE_SERVER_COORDINATOR_ETCD_STORE_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/security.h"
#include "server/coordinator/etcd_client.h"
#include "server/coordinator/metadata_store.h"

namespace syncline {

// Metadata in etcd, version 3, under a prefix of keys:
//
//   PREFIX/leader              who writes, for as long as its lease is kept alive
//   PREFIX/log/NNNNNNNNNNNN    pieces of the log (metadata_log.h), in the order of their numbers
//
// Every write is a transaction that holds only while the key `leader` is the writer's own, so one that was
// paused and superseded changes nothing.
class EtcdStore {
 public:
  struct Options {
    EtcdAddress address;
    SecurityOptions security;
    // A writer that etcd has not heard of for this long has lost its place. etcd rounds up, to 2 s at least.
    absl::Duration lease = absl::Seconds(3);
    // Told once when another coordinator leads, and this one stands by; may be null.
    std::function<void()> waiting;
    // Asked while standing by: true ends that with CANCELLED; may be null.
    std::function<bool()> stop;
    // Told once, on a thread of the store's, when another may lead from now on; may be null.
    std::function<void(const absl::Status&)> deposed;
  };

  // Waits until nobody else leads. UNAVAILABLE if no etcd answers for half a minute.
  static absl::StatusOr<std::unique_ptr<MetadataStore>> Open(Options options);
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_ETCD_STORE_H_
