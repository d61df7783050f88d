#ifndef SYNCLINE_COMMON_MEMORY_SHARED_MEMORY_H_
#define SYNCLINE_COMMON_MEMORY_SHARED_MEMORY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"

namespace syncline {

// A block of memory that processes of one host can map together: a memfd, which belongs to no folder
// and is gone with its last user, however that one ends. Its size is sealed, so that no peer can take
// pages away under a reader.
//
// Thread-safe as an object; who may write which bytes when is for its users to agree on.
class SharedMemory {
 public:
  // Zero-filled, aligned to a page. RESOURCE_EXHAUSTED when there is no room.
  static absl::StatusOr<std::shared_ptr<SharedMemory>> Create(size_t bytes);
  // Maps a block that another process made; takes `fd` over, also when it fails. INVALID_ARGUMENT
  // for a descriptor that is no memfd of sealed size.
  static absl::StatusOr<std::shared_ptr<SharedMemory>> Adopt(int fd);

  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  char* data() const { return data_; }
  size_t size() const { return size_; }
  // To hand to another process.
  int fd() const { return fd_; }

  // Where [from, from + bytes) begins in the block, if it lies in it.
  std::optional<uint64_t> OffsetOf(const void* from, size_t bytes) const;
  // The `bytes` bytes at `offset`; null unless they lie in the block.
  char* At(uint64_t offset, size_t bytes) const;
  // To be called before bytes in the block, of another process, are written to: maps those that have not been, many
  // pages at a time. Otherwise each page's first write costs a fault, five times as long as writing it takes.
  void Touch(uint64_t offset, size_t bytes) const;

 private:
  SharedMemory(int fd, char* data, size_t size);
  static absl::StatusOr<std::shared_ptr<SharedMemory>> Map(int fd, size_t bytes);

  const int fd_;
  char* const data_;
  const size_t size_;
  mutable std::vector<std::atomic<bool>> touched_;  // piece by piece
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_MEMORY_SHARED_MEMORY_H_
