#include "worker/data/scratch_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace syncline {
namespace {

absl::Status Failed(const std::string& folder, const char* what) {
  return absl::ErrnoToStatus(
      errno, absl::StrCat("data.scratch: ", folder, ": cannot ", what, " a file for samples there"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ScratchFile>> ScratchFile::Create(const std::string& folder) {
  std::string path = folder + "/syncline-samples.XXXXXX";
  const int descriptor = mkostemp(path.data(), O_CLOEXEC);
  if (descriptor < 0) return Failed(folder, "make");
  unlink(path.c_str());
  return std::unique_ptr<ScratchFile>(new ScratchFile(descriptor, folder));
}

ScratchFile::~ScratchFile() { close(descriptor_); }

absl::Status ScratchFile::Append(const void* bytes, size_t count) {
  const char* from = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t written = write(descriptor_, from, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return Failed(folder_, "write");
    from += written;
    count -= static_cast<size_t>(written);
    size_ += static_cast<size_t>(written);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const MappedFile>> ScratchFile::Map() const {
  if (size_ == 0) return std::shared_ptr<const MappedFile>();
  void* const memory = mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor_, 0);
  if (memory == MAP_FAILED) return Failed(folder_, "map");
  madvise(memory, size_, MADV_RANDOM);
  return std::make_shared<const MappedFile>(memory, size_);
}

MappedFile::~MappedFile() { munmap(const_cast<void*>(bytes_), size_); }

void MappedFile::Expect(const void* place) const {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(bytes_), at = reinterpret_cast<uintptr_t>(place) - begin;
  // Counted from 1, so that none is as if asked for.
  const uintptr_t window = at / kWindow + 1;
  std::atomic<uintptr_t>& asked = asked_[window % kAsked];
  if (asked.load(std::memory_order_relaxed) == window) return;
  asked.store(window, std::memory_order_relaxed);
  const size_t offset = (window - 1) * kWindow;
  madvise(reinterpret_cast<void*>(begin + offset), std::min(kWindow, size_ - offset), MADV_WILLNEED);
}

}  // namespace syncline
