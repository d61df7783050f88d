#ifndef SYNCLINE_SERVER_PEER_NORMS_H_
#define SYNCLINE_SERVER_PEER_NORMS_H_

#include <cstdint>
#include <deque>
#include <memory>
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
  static absl::StatusOr<std::unique_ptr<PeerNorms>> Create(const ShardMap& map, uint32_t shard,
                                                           const SecurityOptions& security);
  ~PeerNorms();

  // Whom the norms are for; before the first Want.
  void SetShard(Shard* shard) { shard_ = shard; }
  // For ShardOptions::norms_wanted.
  void Want(uint64_t step);

 private:
  using Peer = std::unique_ptr<ParameterServer::Stub>;

  explicit PeerNorms(std::vector<Peer> peers);
  void Run();
  void Fetch(uint64_t step, ParameterServer::Stub& peer);
  bool stopping() const;

  const std::vector<Peer> peers_;
  Shard* shard_ = nullptr;
  mutable absl::Mutex mu_;
  std::deque<uint64_t> wanted_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_PEER_NORMS_H_
