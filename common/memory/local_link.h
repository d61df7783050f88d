#ifndef SYNCLINE_COMMON_MEMORY_LOCAL_LINK_H_
#define SYNCLINE_COMMON_MEMORY_LOCAL_LINK_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/memory/local_frame.h"
#include "common/memory/local_socket.h"
#include "common/memory/shared_memory.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

using LentBlocks = std::vector<std::shared_ptr<const SharedMemory>>;

// A shard on this worker's host, or another worker of its team: it reads and writes blocks of the worker's
// memory, and is called over a socket that never leaves the host, at a tenth of what a call through gRPC costs.
//
// Thread-safe. A thread of its own reads the answers. The link ends when the peer's process does, or
// when that stays silent though asked for a sign of life (Silence); nothing is sent over it then, and
// calls go through the network.
class LocalLink {
 public:
  // A chunk in this process's memory.
  struct Chunk {
    const void* data = nullptr;
    size_t bytes = 0;
  };
  // Chunks as the peer names them.
  struct Places {
    uint64_t segment = 0;
    std::vector<uint64_t> offsets;
  };
  using Done = std::function<void(absl::StatusOr<std::string>)>;
  // How long a peer may be silent while a call is under way: until a sign of life is asked for, until
  // the link is ended, and until nobody waits any more for the peer to let go of the memory. In
  // multiples of `tick`, how often that is looked at.
  struct Silence {
    absl::Duration tick = absl::Seconds(1);
    int ping = 5;
    int end = 15;
    int lost = 75;
  };

  // Asks a peer over the network how to lend it memory.
  using Ask = std::function<absl::StatusOr<AttachMemoryReply>(const AttachMemoryRequest& request)>;
  // Lends `blocks`. Null, without an error, when the peer is on another host, or there are none. Blocks for some
  // round trips.
  static absl::StatusOr<std::unique_ptr<LocalLink>> Attach(const Ask& ask, const Sender& sender,
                                                           const LentBlocks& blocks, Silence silence);
  ~LocalLink() { Close(); }
  // Takes no more calls; those under way end with UNAVAILABLE first.
  void Close();

  bool ended() const {
    absl::MutexLock lock(&mu_);
    return ended_;
  }

  // Lends one more; it counts when the peer has mapped it.
  void Lend(std::shared_ptr<const SharedMemory> block);

  // Where the peer sees these chunks, if all lie in one block.
  std::optional<Places> Find(absl::Span<const Chunk> chunks) const;

  // Sends an encoded message. `done` runs once, with the reply or the peer's error, on the link's
  // thread. UNAVAILABLE: the link has ended, and the peer touches the memory no more.
  // FAILED_PRECONDITION: it did not let go of the memory in time, so that must not be used for
  // anything else any more. False: nothing was sent, and `done` does not run.
  bool Call(LocalFrame::Kind kind, absl::string_view message, Done done) {
    return Call(kind, message, -1, std::move(done));
  }

 private:
  LocalLink(LocalSocket socket, Silence silence)
      : silence_(silence), socket_(std::move(socket)) {}
  bool Call(LocalFrame::Kind kind, absl::string_view message, int descriptor, Done done);
  // A call that waits for its answer; before the thread begins.
  absl::StatusOr<std::string> CallAndWait(LocalFrame::Kind kind, absl::string_view body, int descriptor);
  // The peer has mapped a block, and answered with its number.
  void Mapped(std::shared_ptr<const SharedMemory> block, absl::string_view number);
  void ReadAnswers();
  void Answer(const LocalFrame& frame, absl::string_view body);
  // Nothing came for a while; false if the link must be taken for lost without an end.
  bool Silent();
  void FailAll(const absl::Status& status);

  const Silence silence_;
  const LocalSocket socket_;
  mutable absl::Mutex mu_;
  std::map<uint64_t, std::shared_ptr<const SharedMemory>> blocks_ ABSL_GUARDED_BY(mu_);  // by segment
  uint64_t last_call_ ABSL_GUARDED_BY(mu_) = 0;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::map<uint64_t, Done> calls_ ABSL_GUARDED_BY(mu_);
  int silent_ticks_ = 0;  // the thread's own
  std::thread reader_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_MEMORY_LOCAL_LINK_H_
