#ifndef SYNCLINE_WORKER_CLIENT_ROUTE_TABLE_H_
#define SYNCLINE_WORKER_CLIENT_ROUTE_TABLE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/cluster/ids.h"
#include "common/rpc/security.h"
#include "proto/parameter_server.grpc.pb.h"
#include "worker/client/router.h"
#include "worker/client/shard_connection.h"

namespace syncline {

// Where chunks lie by one shard map, and the ways there.
struct Route {
  Route(const MapVersion& version, std::vector<ShardConnection*> connections,
        std::vector<size_t> message_bytes, const Router::Holds& holds)
      : from_step(version.from_step()),
        addresses(version.map().shards().begin(), version.map().shards().end()),
        lost(version.map().lost().begin(), version.map().lost().end()),
        shards(std::move(connections)),
        router(version.map(), std::move(message_bytes), holds) {}

  uint64_t epoch() const { return router.map_epoch(); }

  const Clock from_step;
  const std::vector<std::string> addresses;     // by shard
  const std::vector<std::string> lost;          // shards that are gone
  const std::vector<ShardConnection*> shards;  // likewise
  const Router router;
};

// The shard maps a worker goes by, and the ways to the shards. A shard that refuses a request with
// ABORTED has a newer one, and so has one that names a newer epoch; it is fetched from the shards by a
// thread of the table's own. Thread-safe.
//
// In sync a map holds from a step on, so there may be two: see MapVersion. A pull for the first step of
// a map still goes by the one before, as chunks may be on their way to their new owners. Once a shard goes by a map
// every shard has reached its step, and what was said to the shards before is said to those of that map: some may be
// gone, and the others know it for something said again.
class RouteTable {
 public:
  using Ptr = std::shared_ptr<const Route>;
  // Of what goes by the newest map in sync too.
  static constexpr Clock kNewest = ~Clock{0};
  struct Options {
    bool by_step = false;  // sync
    SecurityOptions security;
    // How long nobody may know of the newer map that a shard asked for.
    absl::Duration patience = absl::Seconds(60);
    // Asked while no shard answers at the start: whether not to wait any longer. Null: no.
    std::function<bool()> stop;
    // The way to a shard, which must outlive the table. Those of a map are asked for together, each once, on
    // several threads.
    std::function<absl::StatusOr<ShardConnection*>(const std::string& address)> connect;
    // How large messages to a shard may be.
    std::function<size_t(const ShardConnection&)> message_bytes;
    // Which tensors are asked for here, by name; null: all.
    Router::Holds holds;
    // A newer map is about to be in the table: what comes before anybody goes by it.
    std::function<void(const Ptr& newest)> installing;
    // A newer map is in the table; the map before it was `before`.
    std::function<void(const Ptr& newest, const Ptr& before)> installed;
  };

  explicit RouteTable(Options options) : options_(std::move(options)) {}
  ~RouteTable() { Stop(); }

  // Begins with `map`, or with what the shards in it know to have followed. Blocks; in sync until a shard answers, as
  // `map` does not say from which step on it holds.
  absl::Status Start(const ShardMap& map);
  // Whoever awaits a map is told CANCELLED, later ones at once.
  void Stop();

  // By which pushes and commits of `clock` go.
  Ptr For(Clock clock) const;
  // By which pulls for `clock` go first.
  Ptr ForPull(Clock clock) const { return For(options_.by_step && clock > 0 ? clock - 1 : clock); }
  Ptr newest() const;

  // A shard has named an epoch.
  void Hint(uint64_t epoch);
  // The shard at `address` does not answer: whether the map of `clock` has no place for it. If it has one, the others are
  // asked for a newer map, on the table's thread, as nobody else may be about to.
  bool Lacks(const std::string& address, Clock clock);
  // Calls `then` when For(clock) is newer than `epoch`: at once, or later on the table's thread.
  void Await(uint64_t epoch, Clock clock, std::function<void(absl::Status)> then);

 private:
  struct Waiter {
    uint64_t epoch;
    Clock clock;
    absl::Time deadline;
    std::function<void(absl::Status)> then;
  };

  void Run();
  // Asks the shards for their maps; true if there was news.
  bool Fetch();
  // A shard's maps; true if there was news in them.
  bool Take(const GetMapReply& reply);
  // The maps of the first shard in `map` that answers and knows of it.
  absl::StatusOr<GetMapReply> AskForFirst(const ShardMap& map);
  absl::StatusOr<GetMapReply> Ask(const std::string& address);
  absl::StatusOr<std::vector<ShardConnection*>> Connect(const ShardMap& map);
  absl::Status Install(const MapVersion& version);
  Ptr RouteFor(Clock clock) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Those that have what they wait for, or have waited long enough.
  std::vector<Waiter> TakeDone() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Options options_;
  // For GetMap, by address; of the thread that fetches.
  std::map<std::string, std::unique_ptr<ParameterServer::Stub>> stubs_;
  mutable absl::Mutex mu_;
  std::vector<Ptr> routes_ ABSL_GUARDED_BY(mu_);  // by epoch
  uint64_t in_force_ ABSL_GUARDED_BY(mu_) = 0;  // the newest epoch that a shard goes by
  uint64_t hinted_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<Waiter> waiters_ ABSL_GUARDED_BY(mu_);
  bool look_ ABSL_GUARDED_BY(mu_) = false;  // for a newer one
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_ROUTE_TABLE_H_
