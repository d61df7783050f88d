#ifndef SYNCLINE_COMMON_IO_FAULT_FILE_SYSTEM_H_
#define SYNCLINE_COMMON_IO_FAULT_FILE_SYSTEM_H_

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/io/file_system.h"

namespace syncline {

// Files in memory that fail on command, for tests of durable code. Strict: a crash leaves what was
// synced and nothing else, so code that forgets a Sync() loses its data every time.
//
//   FaultFileSystem files;
//   files.FailAt(3, absl::InternalError("broken"));   // the third change from now
//   ... run ...
//   files.Crash();                                     // power off, power on
//
// Thread-safe. Files that are open at a crash fail from then on.
class FaultFileSystem : public FileSystem {
 public:
  // The n-th change from now (Create, Append, Sync, Rename, ...; from 1), and every later one,
  // returns `error` and does nothing. 0: nothing fails.
  void FailAt(uint64_t n, absl::Status error);
  // Changes made so far, the failed ones included.
  uint64_t changes() const;
  // Appends beyond this many bytes in all files together fail: the disk is full.
  void SetCapacity(uint64_t bytes);
  // Forgets what was not synced, and all faults.
  void Crash();

  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Link(const std::string& from, const std::string& to) override;
  absl::Status RemoveFile(const std::string& path) override;
  bool Exists(const std::string& path) override;
  absl::Status CreateFolder(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& folder) override;
  absl::Status RemoveFolder(const std::string& path) override;
  absl::Status SyncFolder(const std::string& path) override;

 private:
  class Writer;

  // What a name stands for; a folder has no bytes.
  struct Node {
    bool folder = false;
    std::string bytes;
    std::string synced;
  };
  // By full path, so a folder's entries lie side by side.
  using Names = std::map<std::string, std::shared_ptr<Node>>;

  absl::Status Change() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Append(uint64_t life, Node* node, absl::string_view bytes);
  absl::Status Sync(uint64_t life, Node* node);

  mutable absl::Mutex mutex_;
  Names now_ ABSL_GUARDED_BY(mutex_);
  Names synced_ ABSL_GUARDED_BY(mutex_);  // what a crash leaves
  uint64_t life_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t changes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t fail_at_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
  uint64_t used_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t capacity_ ABSL_GUARDED_BY(mutex_) = std::numeric_limits<uint64_t>::max();
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_IO_FAULT_FILE_SYSTEM_H_
