#ifndef SYNCLINE_SERVER_PEER_NORMS_H_
#define SYNCLINE_SERVER_PEER_NORMS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/security.h"
#include "proto/parameter_server.grpc.pb.h"
#include "server/shard/shard.h"

namespace syncline {

// Fetches the norms a shard wants of the other shards (sync with clip_norm) on a thread of its own.
// Thread-safe.
class PeerNorms {
 public:
  explicit PeerNorms(const SecurityOptions& security);
  ~PeerNorms();

  // The shards of a step are those of the map with the highest from_step up to it, less number `shard`. One
  // from step 0 on takes the place of all before: shards that are not in it are lost.
  void SetMap(const MapVersion& version, uint32_t shard);

  // Whom the norms are for; before the first Want.
  void SetShard(Shard* shard) { shard_ = shard; }
  // For ShardOptions::norms_wanted.
  void Want(uint64_t step);

 private:
  void Run();
  void Collect(uint64_t step);
  // Whether no norms are missing any more.
  absl::StatusOr<bool> Fetch(uint64_t step, const std::string& address);
  // Nobody from the end on.
  std::vector<std::string> PeersOf(uint64_t step);

  const SecurityOptions security_;
  // The thread's own, by address.
  std::map<std::string, std::unique_ptr<ParameterServer::Stub>> stubs_;
  Shard* shard_ = nullptr;
  mutable absl::Mutex mu_;
  std::deque<uint64_t> wanted_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, std::vector<std::string>> peers_ ABSL_GUARDED_BY(mu_);  // by first step
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_PEER_NORMS_H_
