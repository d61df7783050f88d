#ifndef SYNCLINE_WORKER_DATA_SCRATCH_FILE_H_
#define SYNCLINE_WORKER_DATA_SCRATCH_FILE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace syncline {

// What a file holds, as memory that the system fills from the file where it is looked at and takes away again when
// memory is short. Thread-safe.
class MappedFile {
 public:
  MappedFile(const void* bytes, size_t size) : bytes_(bytes), size_(size) {}
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;

  const void* bytes() const { return bytes_; }
  // That `place`, and so its neighbours, will be looked at: has the system read all of kWindow around it at once. By
  // itself it would read single pages, or as much as suits somebody who goes on to the end of the file.
  void Expect(const void* place) const;

 private:
  static constexpr size_t kWindow = size_t{128} << 10;
  static constexpr size_t kAsked = 1024;

  const void* const bytes_;
  const size_t size_;
  // Windows that were asked for lately, by their number modulo kAsked.
  mutable std::array<std::atomic<uintptr_t>, kAsked> asked_{};
};

// Bytes that are written once and then read anywhere, kept in a file without a name: it goes with its last user,
// however that ends. Not thread-safe.
class ScratchFile {
 public:
  // In `folder`, which must be of a file system on a disk to be of use. Errors name the folder.
  static absl::StatusOr<std::unique_ptr<ScratchFile>> Create(const std::string& folder);
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;

  // RESOURCE_EXHAUSTED naming the folder when its disk is full.
  absl::Status Append(const void* bytes, size_t count);
  size_t size() const { return size_; }
  // All that was appended; no more may be. Null if nothing was.
  absl::StatusOr<std::shared_ptr<const MappedFile>> Map() const;

 private:
  ScratchFile(int descriptor, std::string folder) : descriptor_(descriptor), folder_(std::move(folder)) {}

  const int descriptor_;
  const std::string folder_;
  size_t size_ = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_SCRATCH_FILE_H_
