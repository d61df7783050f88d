#ifndef SYNCLINE_COMMON_IO_FILE_SYSTEM_H_
#define SYNCLINE_COMMON_IO_FILE_SYSTEM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace syncline {

// Files as durable code sees them. After a crash a file holds what was appended before its last
// Sync(), and a folder the names it had at its last SyncFolder(); whatever came later may be there
// in part or not at all. Calls block. Errors name the path and what the system said: kNotFound,
// kAlreadyExists, kPermissionDenied, kResourceExhausted (disk full), ...

// A file being written from its start. Not thread-safe.
class WritableFile {
 public:
  virtual ~WritableFile() = default;  // closes without an error

  virtual absl::Status Append(absl::string_view bytes) = 0;
  // Returns when all that was appended is on the disk.
  virtual absl::Status Sync() = 0;
  // After this only the destructor may be called.
  virtual absl::Status Close() = 0;
};

// A file read at any place. Thread-safe.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;

  // Bytes in the file when it was opened.
  virtual uint64_t size() const = 0;
  // Reads exactly `count` bytes from `offset` into `to`; kDataLoss if the file is shorter.
  virtual absl::Status Read(uint64_t offset, size_t count, char* to) const = 0;
};

// Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Makes an empty file, or empties the one that is there.
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) = 0;
  virtual absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) = 0;
  // Puts a file or folder in the place of what is at `to` (for a folder: nothing or an empty one).
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // Gives the file `from` a second name; whichever is removed first, the other keeps the bytes, and what was synced of
  // them. The names are on the disk once their folder is. kAlreadyExists if `to` is there; kUnimplemented, or another
  // error, where the file system has none such.
  virtual absl::Status Link(const std::string& from, const std::string& to) = 0;
  virtual absl::Status RemoveFile(const std::string& path) = 0;
  virtual bool Exists(const std::string& path) = 0;

  // With the folders around it. Fine if it is there.
  virtual absl::Status CreateFolder(const std::string& path) = 0;
  // Names, sorted, without . and ..
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& folder) = 0;
  // Removes a folder and all that is in it. Fine if it is not there.
  virtual absl::Status RemoveFolder(const std::string& path) = 0;
  // Returns when the names in the folder are on the disk.
  virtual absl::Status SyncFolder(const std::string& path) = 0;
};

// The whole of a file.
absl::StatusOr<std::string> ReadFile(FileSystem& files, const std::string& path);

// Puts `bytes` at `path`, durably, so that whoever reads sees the old file or the new one, whole:
// writes `path`.tmp, syncs it, renames it and syncs the folder.
absl::Status WriteFileAtomically(FileSystem& files, const std::string& path,
                                 absl::string_view bytes);

// The folder part of a path; "." if there is none.
std::string ParentFolder(const std::string& path);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_IO_FILE_SYSTEM_H_
