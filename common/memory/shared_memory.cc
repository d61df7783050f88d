#include "common/memory/shared_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

constexpr size_t kPiece = size_t{1} << 20;

constexpr int kSizeSeals = F_SEAL_SHRINK | F_SEAL_GROW;

absl::Status NoRoom(size_t bytes) {
  return absl::ResourceExhaustedError(
      absl::StrCat("no ", bytes, " bytes of shared memory: ", strerror(errno)));
}

}  // namespace

absl::StatusOr<std::shared_ptr<SharedMemory>> SharedMemory::Map(int fd, size_t bytes) {
  void* const data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) {
    const absl::Status error = NoRoom(bytes);
    close(fd);
    return error;
  }
  // Huge pages where the system grants them to shared memory.
  madvise(data, bytes, MADV_HUGEPAGE);
  return std::shared_ptr<SharedMemory>(new SharedMemory(fd, static_cast<char*>(data), bytes));
}

absl::StatusOr<std::shared_ptr<SharedMemory>> SharedMemory::Create(size_t bytes) {
  if (bytes == 0) return absl::InvalidArgumentError("0 bytes of shared memory");
  const int fd = memfd_create("syncline", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return NoRoom(bytes);
  if (ftruncate(fd, static_cast<off_t>(bytes)) != 0 || fcntl(fd, F_ADD_SEALS, kSizeSeals) != 0) {
    const absl::Status error = NoRoom(bytes);
    close(fd);
    return error;
  }
  return Map(fd, bytes);
}

absl::StatusOr<std::shared_ptr<SharedMemory>> SharedMemory::Adopt(int fd) {
  // Only a memfd has seals.
  const int seals = fcntl(fd, F_GET_SEALS);
  struct stat info;
  if (seals < 0 || (seals & kSizeSeals) != kSizeSeals || fstat(fd, &info) != 0 ||
      info.st_size <= 0) {
    close(fd);
    return absl::InvalidArgumentError(
        "the descriptor is no memory to share: it must be a memfd whose size is sealed");
  }
  return Map(fd, static_cast<size_t>(info.st_size));
}

SharedMemory::SharedMemory(int fd, char* data, size_t size)
    : fd_(fd), data_(data), size_(size), touched_((size - 1) / kPiece + 1) {}

SharedMemory::~SharedMemory() {
  munmap(data_, size_);
  close(fd_);
}

std::optional<uint64_t> SharedMemory::OffsetOf(const void* from, size_t bytes) const {
  const auto begin = reinterpret_cast<uintptr_t>(from), here = reinterpret_cast<uintptr_t>(data_);
  if (begin < here || begin - here > size_ || bytes > size_ - (begin - here)) return std::nullopt;
  return begin - here;
}

void SharedMemory::Touch(uint64_t offset, size_t bytes) const {
  for (size_t piece = offset / kPiece; piece * kPiece < offset + bytes; ++piece) {
    if (touched_[piece].exchange(true, std::memory_order_relaxed)) continue;
    const size_t begin = piece * kPiece;
    // Pages that are read come with their neighbours, and may be written to. Where the kernel knows no such advice
    // (before 5.14) they come one by one, later.
    madvise(data_ + begin, std::min(kPiece, size_ - begin), MADV_POPULATE_READ);
  }
}

char* SharedMemory::At(uint64_t offset, size_t bytes) const {
  return offset > size_ || bytes > size_ - offset ? nullptr : data_ + offset;
}

}  // namespace syncline
