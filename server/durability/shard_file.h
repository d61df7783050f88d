#ifndef SYNCLINE_SERVER_DURABILITY_SHARD_FILE_H_
#define SYNCLINE_SERVER_DURABILITY_SHARD_FILE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/io/file_system.h"
#include "common/io/safetensors.h"
#include "common/tensor/fragments.h"
#include "proto/parameter_server.pb.h"
#include "server/durability/checkpoint_names.h"
#include "server/shard/shard_snapshot.h"

namespace syncline {

// One file of a shard's part of a checkpoint, open to be read here and there. Thread-safe.
class ShardFile {
 public:
  // Reads all of it once: nothing is believed before size and checksum are those of `file`. DATA_LOSS naming the file
  // where something is wrong with it, also from the other calls.
  static absl::StatusOr<std::unique_ptr<const ShardFile>> Open(FileSystem& files, const std::string& folder,
                                                               const CheckpointFile& file);

  const ShardFileId& id() const { return id_; }
  absl::Status Damaged(const std::string& how) const;

  // What it says of a chunk; null if nothing.
  struct Listed {
    uint64_t version = 0;
    std::vector<AppliedPushes> applied;
    // The layer that has what of the chunk is not here.
    std::optional<uint32_t> below;
  };
  const Listed* Find(uint32_t chunk) const;

  // The bytes of tensor `prefix`/`id`, of this type, in memory of their own; false if there is no such tensor.
  absl::StatusOr<bool> Read(const std::string& prefix, const std::string& id, const char* dtype, Fragments* to) const;

  // What workers carry, of the chunks whose names are given.
  absl::StatusOr<std::vector<WorkerState>> ReadWorkers(const std::map<std::string, uint32_t>& chunks) const;

 private:
  ShardFile(std::string path, ShardFileId id, std::unique_ptr<SafetensorsReader> reader)
      : path_(std::move(path)), id_(id), reader_(std::move(reader)) {}

  absl::Status ReadTables();
  absl::StatusOr<std::vector<uint64_t>> ReadTable(const char* name, uint64_t columns) const;
  absl::Status Read(const SafetensorsTensor& tensor, const char* dtype, Fragments* to) const;

  const std::string path_;
  const ShardFileId id_;
  const std::unique_ptr<SafetensorsReader> reader_;
  std::unordered_map<std::string, const SafetensorsTensor*> tensors_;
  std::unordered_map<uint64_t, Listed> chunks_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_DURABILITY_SHARD_FILE_H_
