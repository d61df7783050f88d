#ifndef SYNCLINE_COMMON_MEMORY_WORKER_LINK_H_
#define SYNCLINE_COMMON_MEMORY_WORKER_LINK_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/memory/local_frame.h"
#include "common/memory/local_socket.h"
#include "common/memory/shared_memory.h"
#include "common/tensor/fragments.h"
#include "common/threads/parallel_for.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// A worker on this host, as whom it lends memory to sees it, a shard or another worker: that memory, and the socket
// its calls come by.
//
// The memory is touched only while somebody holds the link, and the socket closes when the last
// holder lets go. So a worker that ends the link and sees the socket close knows that its memory is
// its own again, whatever was under way. Thread-safe.
class WorkerLink {
 public:
  // `worker`: who is at the other end of `socket`, as its token showed.
  WorkerLink(LocalSocket socket, const Sender& worker)
      : socket_(std::move(socket)), worker_(worker) {}

  // PERMISSION_DENIED unless `sender` is the worker at the other end.
  absl::Status CheckSender(const Sender& sender) const;

  // Takes one more block; its number, from 1.
  uint64_t AddBlock(std::shared_ptr<const SharedMemory> block);
  size_t blocks() const;

  // The bytes of a gradient, where they lie; they stay lent as long as the result lives.
  // INVALID_ARGUMENT for a block that is not there, or bytes outside it or off a float.
  absl::StatusOr<Fragments> Read(uint64_t segment, uint64_t offset, size_t bytes);

  // Where these bytes are; errors as of Read. For as long as the link is held.
  absl::StatusOr<char*> Find(uint64_t segment, uint64_t offset, size_t bytes) const;

  struct Part {
    uint64_t offset = 0;
    Fragments data;
  };
  // Copies all parts to their places in a block, or none and INVALID_ARGUMENT as in Read. Large ones
  // are spread over threads by `parallel_for`, which may be null.
  absl::Status Write(uint64_t segment, const std::vector<Part>& parts,
                     const ParallelFor& parallel_for) const;

  // A call has come. Its number is no other's until it is answered.
  void Begin(const LocalFrame& call);
  // Answers a call. A worker that does not read its answers is cut off.
  void Reply(const LocalFrame& call, const absl::Status& status, absl::string_view body);
  // Runs `hook` when the link closes before `call` is answered; at once if it has closed.
  void OnClose(const LocalFrame& call, std::function<void()> hook);
  // No more comes from the worker: runs the hooks.
  void Close();

  const LocalSocket& socket() const { return socket_; }

 private:
  const LocalSocket socket_;
  const Sender worker_;
  mutable absl::Mutex mu_;
  std::vector<std::shared_ptr<const SharedMemory>> blocks_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  // By call, of those not answered yet; null where there is nothing to do.
  std::map<uint64_t, std::function<void()>> on_close_ ABSL_GUARDED_BY(mu_);
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_MEMORY_WORKER_LINK_H_
