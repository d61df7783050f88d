#ifndef SYNCLINE_SERVER_SERVICE_SERVED_CHECKPOINT_H_
#define SYNCLINE_SERVER_SERVICE_SERVED_CHECKPOINT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/io/file_system.h"
#include "grpcpp/support/byte_buffer.h"
#include "proto/checkpoint.pb.h"
#include "proto/parameter_server.pb.h"
#include "server/durability/checkpoint_reader.h"
#include "server/service/shard_host.h"
#include "server/service/tensor_calls.h"

namespace syncline {

// Which of `count` servers holds what: each a part of all chunks and slots.
struct ServePart {
  uint32_t index = 0;
  uint32_t count = 1;
};

// Reads "I/N", counted from 0: "0/1" is everything. INVALID_ARGUMENT says what is accepted.
absl::StatusOr<ServePart> ParseServePart(absl::string_view text);

// The weights of a checkpoint, to be pulled and not pushed to: a shard without members, and without the optimizer's
// state but where a row's weights depend on it (exact adam). It never changes, so every answer is of this checkpoint.
// Thread-safe.
class ServedCheckpoint {
 public:
  // Reads this part of the checkpoint in `folder`, a shard's file at a time. DATA_LOSS naming what is damaged. Blocks.
  static absl::StatusOr<std::unique_ptr<ServedCheckpoint>> Load(FileSystem& files, const std::string& folder,
                                                                ServePart part);

  const std::string& folder() const { return folder_; }
  const std::string& job() const { return job_; }
  uint64_t step() const { return step_; }
  // Of tensors and stored rows.
  uint64_t bytes() const { return bytes_; }

  // A pull by an observer, encoded; never waits. FAILED_PRECONDITION for anybody else's.
  absl::StatusOr<grpc::ByteBuffer> Pull(const grpc::ByteBuffer& request);
  // The map of all parts, in which only this part's place has a name: where the others are is not known here.
  absl::StatusOr<GetMapReply> GetMap() const;
  absl::StatusOr<ShardStatusReply> Status() const;

  // Whether who reads this one can go on with `next`: it has the same tensors and tables, cut alike.
  // FAILED_PRECONDITION if
  // not.
  absl::Status CheckFollows(const ServedCheckpoint& next) const;

 private:
  ServedCheckpoint(std::string folder, const CheckpointManifest& manifest);
  absl::Status Restore(CheckpointReader* reader, ServePart part);

  const std::string folder_;
  const std::string job_;
  const uint64_t step_;
  uint64_t bytes_ = 0;
  ShardHost host_;
  TensorCalls calls_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SERVICE_SERVED_CHECKPOINT_H_
