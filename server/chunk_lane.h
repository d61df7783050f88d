#ifndef SYNCLINE_SERVER_CHUNK_LANE_H_
#define SYNCLINE_SERVER_CHUNK_LANE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/memory/local_link.h"
#include "common/memory/shared_memory.h"
#include "common/rpc/security.h"
#include "grpcpp/channel.h"
#include "grpcpp/support/byte_buffer.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// A way to another shard for one message with chunks at a time. To one on this host the message lies in memory that
// is lent to it, and it is told so over a local socket; it has let go of it when it answers. Otherwise, and while there
// is no link, messages go through the network. Not thread-safe.
class ChunkLane {
 public:
  struct Options {
    SecurityOptions security;
    // Whether memory may be lent at all.
    bool shared_memory = true;
  };

  ChunkLane(std::string address, Options options) : address_(std::move(address)), options_(std::move(options)) {}

  // One attempt to have an encoded HandOverRequest taken. Blocks; DEADLINE_EXCEEDED after `timeout`, the channel's own
  // error if there is none.
  absl::StatusOr<HandOverReply> Call(const grpc::ByteBuffer& message, absl::Duration timeout);
  // Whether the last message went through lent memory.
  bool linked() const { return link_ != nullptr; }

 private:
  // Sees to a link with room for so many bytes, if there can be one.
  void Attach(size_t bytes);
  absl::StatusOr<HandOverReply> CallLinked(const grpc::ByteBuffer& message, absl::Duration timeout);

  const std::string address_;
  const Options options_;
  std::shared_ptr<grpc::Channel> channel_;
  std::shared_ptr<const SharedMemory> block_;  // lent
  std::unique_ptr<LocalLink> link_;
  absl::Time attach_after_ = absl::InfinitePast();
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_CHUNK_LANE_H_
