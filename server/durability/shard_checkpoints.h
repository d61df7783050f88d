#ifndef SYNCLINE_SERVER_DURABILITY_SHARD_CHECKPOINTS_H_
#define SYNCLINE_SERVER_DURABILITY_SHARD_CHECKPOINTS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/io/file_system.h"
#include "proto/parameter_server.pb.h"
#include "server/durability/checkpoint_names.h"
#include "server/durability/layer_plan.h"
#include "server/shard/shard_snapshot.h"

namespace syncline {

// Writes a shard's part of one checkpoint after the other. It remembers what is in the last one, and what has not
// changed since is not written again: the new checkpoint gets links to the files that have it (layer_plan.h says what
// is written, and when all is). So each checkpoint's folder has all that it needs, and any of them may be deleted.
// Where the file system has no links everything is written each time.
//
// Whether a checkpoint came to be is for its manifest to say: what is remembered counts only as far as the manifest of
// the base names the very files.
//
// Thread-safe; one call waits for the other.
class ShardCheckpoints {
 public:
  explicit ShardCheckpoints(FileSystem* files) : files_(files) {}

  struct Target {
    // The folder to write to, of a checkpoint that is none yet (checkpoint_folders.h).
    std::string folder;
    // The folder of the newest whole checkpoint; empty: there is none.
    std::string base{};
    // This shard's place in `map`.
    uint32_t shard = 0;
    ShardMap map;
    // Whose snapshots these are, compared by owner: of another one nothing is known. Null: always the same one's.
    std::shared_ptr<const void> of{};
  };
  // Returns the files of this shard that belong to the checkpoint when they and their names are durable. Blocks. Asked
  // again for a folder in which they are, it returns them again.
  // RESOURCE_EXHAUSTED naming the file when the disk is full; what was written is removed.
  absl::StatusOr<std::vector<CheckpointFile>> Write(const Target& target, const ShardSnapshot& snapshot);

 private:
  struct Written {
    std::weak_ptr<const void> of;
    std::string folder;
    std::vector<CheckpointFile> files;
    Layers dense, rows;
  };

  bool StillThere(const Written& written, const Target& target) const;
  Written KnownOf(const Target& target) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Clear(const Target& target, FileKind kind);
  bool Link(const Target& target, FileKind kind, const LayerPlan& plan);
  absl::StatusOr<Written> WriteOn(const Written& known, const Target& target, const ShardSnapshot& snapshot)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status WriteKind(FileKind kind, const Layers& last, const Target& target, const ShardSnapshot& snapshot,
                         Written* written);

  FileSystem* const files_;
  absl::Mutex mu_;
  // The last one that came to be, as far as is known, and those written since; at most two.
  std::vector<Written> written_ ABSL_GUARDED_BY(mu_);
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_DURABILITY_SHARD_CHECKPOINTS_H_
