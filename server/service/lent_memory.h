#ifndef SYNCLINE_SERVER_SERVICE_LENT_MEMORY_H_
#define SYNCLINE_SERVER_SERVICE_LENT_MEMORY_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/memory/local_socket.h"
#include "proto/parameter_server.pb.h"
#include "server/service/lent_segment.h"

namespace syncline {

// The memory that workers on this host lend a shard (AttachMemory in proto/parameter_server.proto).
// A segment is there while its worker's connection stands, so a worker that dies leaves nothing; the
// blocks belong to the workers, so neither does a shard.
//
// Thread-safe. One thread of its own serves the connections, begun with the first offer.
class LentMemory {
 public:
  LentMemory() = default;
  ~LentMemory();

  // How to lend a block. The socket is empty for a worker on another host, or if this one allows no
  // local sockets.
  AttachMemoryReply Offer(const AttachMemoryRequest& request);

  // UNAVAILABLE for a segment that is not (or no longer) lent, PERMISSION_DENIED for another's.
  absl::StatusOr<std::shared_ptr<LentSegment>> Find(uint64_t segment, const Sender& sender) const;

  // Blocks lent at the moment.
  size_t segments() const;

 private:
  struct Offered {
    std::string token;
    Sender sender;
  };
  struct Lent {
    LocalSocket connection;
    std::shared_ptr<LentSegment> segment;
  };

  absl::Status Listen() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Serve();
  void Admit();
  absl::StatusOr<std::shared_ptr<LentSegment>> Receive(const LocalSocket& connection);
  void DropGone();

  mutable absl::Mutex mu_;
  std::string name_ ABSL_GUARDED_BY(mu_);
  std::deque<Offered> offers_ ABSL_GUARDED_BY(mu_);
  uint64_t last_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<uint64_t, Lent> lent_ ABSL_GUARDED_BY(mu_);
  // Set by Listen, before the thread begins.
  LocalSocket listener_;
  int wake_ = -1;
  std::thread thread_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SERVICE_LENT_MEMORY_H_
