#include "server/spill/spill_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "spdlog/spdlog.h"

namespace syncline {
namespace {

// What files are read and written in, past the cache.
constexpr uint64_t kBlock = 4096;
// Beside the caller: as many reads are under way as disks like.
constexpr int kReaders = 15;
// Of one read, if its parts lie together.
constexpr uint64_t kMostRead = 256 << 10;
constexpr size_t kMostWritten = 64;  // pages

uint64_t Down(uint64_t at) { return at / kBlock * kBlock; }
uint64_t Up(uint64_t at) { return Down(at + kBlock - 1); }

absl::Status CannotUse(const std::string& folder, const std::string& why) {
  return absl::FailedPreconditionError(absl::StrCat(
      "--table_folder=", folder, ": ", why, "; name a folder on a local disk that this process may write to"));
}

// Of the thread; aligned for reads past the cache.
char* Scratch() {
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  thread_local const std::unique_ptr<char, Free> scratch(
      static_cast<char*>(std::aligned_alloc(kBlock, kMostRead + 2 * kBlock)));
  return scratch.get();
}

int OpenWithoutName(const std::string& folder, int flags) {
  const int file = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC | flags, 0600);
  if (file >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) return file;
  // A file system that cannot leave the name out.
  std::string path = folder + "/syncline-rows-XXXXXX";
  const int named = mkostemp(path.data(), O_CLOEXEC | flags);
  if (named >= 0) unlink(path.c_str());
  return named;
}

}  // namespace

absl::StatusOr<std::shared_ptr<SpillFile>> SpillFile::Create(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return CannotUse(folder, error.message());
  int file = OpenWithoutName(folder, O_DIRECT);
  if (file < 0 && errno == EINVAL) file = OpenWithoutName(folder, 0);
  if (file < 0) return CannotUse(folder, std::strerror(errno));
  return std::shared_ptr<SpillFile>(new SpillFile(folder, file));
}

SpillFile::SpillFile(std::string folder, int file) : folder_(std::move(folder)), file_(file), readers_(kReaders) {}

SpillFile::~SpillFile() { close(file_); }

absl::Status SpillFile::Failed(Access access, uint64_t at, int error) const {
  const std::string message =
      absl::StrCat("cannot ", access == Access::kRead ? "read" : "write", " rows of tables in --table_folder=", folder_,
                   " at byte ", at, ": ", error == 0 ? "the file is shorter than it was" : std::strerror(error));
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) return absl::ResourceExhaustedError(message);
  if (access == Access::kWrite) return absl::DataLossError(message);
  return absl::DataLossError(
      absl::StrCat(message, "; if it stays so, end this shard, for copies of its rows or the last checkpoint to take their "
                            "place, and start it with a --table_folder on another disk"));
}

absl::Status SpillFile::Write(absl::Span<const char* const> pages, size_t bytes, uint64_t* places) {
  {
    absl::MutexLock lock(&mu_);
    std::vector<uint64_t>& free = free_[bytes];
    for (size_t i = 0; i < pages.size(); ++i) {
      if (free.empty()) {
        places[i] = end_;
        end_ += bytes;
      } else {
        places[i] = free.back();
        free.pop_back();
      }
    }
    used_ += pages.size() * bytes;
  }
  std::sort(places, places + pages.size());
  absl::Status written;
  for (size_t i = 0; i < pages.size() && written.ok();) {
    size_t next = i + 1;
    while (next < pages.size() && next - i < kMostWritten && places[next] == places[next - 1] + bytes) ++next;
    written = WriteRun(&pages[i], next - i, bytes, places[i]);
    i = next;
  }
  if (written.ok()) return written;
  for (size_t i = 0; i < pages.size(); ++i) Free(places[i], bytes);
  spdlog::error("{}; they stay in memory, above --table_memory", std::string(written.message()));
  return written;
}

absl::Status SpillFile::WriteRun(const char* const* pages, size_t count, size_t bytes, uint64_t place) {
  for (uint64_t done = 0; done < count * bytes;) {
    iovec parts[kMostWritten];
    size_t used = 0;
    for (size_t i = done / bytes; i < count; ++i) {
      const size_t skip = used == 0 ? done % bytes : 0;
      parts[used++] = {const_cast<char*>(pages[i]) + skip, bytes - skip};
    }
    const ssize_t n = pwritev(file_, parts, static_cast<int>(used), static_cast<off_t>(place + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Failed(Access::kWrite, place + done, n == 0 ? ENOSPC : errno);
    done += static_cast<uint64_t>(n);
    written_ += static_cast<uint64_t>(n);
    ++writes_;
  }
  return absl::OkStatus();
}

absl::Status SpillFile::Read(absl::Span<const Part> parts) {
  std::vector<const Part*> sorted;
  for (const Part& part : parts) sorted.push_back(&part);
  const auto begin = [](const Part* part) { return part->place + part->offset; };
  std::sort(sorted.begin(), sorted.end(), [&](const Part* a, const Part* b) { return begin(a) < begin(b); });
  std::vector<Run> runs;
  for (size_t i = 0; i < sorted.size(); ++i) {
    const uint64_t from = Down(begin(sorted[i])), to = Up(begin(sorted[i]) + sorted[i]->size);
    const bool close = !runs.empty() && from <= runs.back().end && to - runs.back().begin <= kMostRead;
    if (!close) runs.push_back({from, to, i, i});
    runs.back().end = std::max(runs.back().end, to);
    runs.back().last = i;
  }
  std::vector<absl::Status> done(runs.size());
  readers_.For(runs.size(), [&](size_t i) { done[i] = ReadRun(runs[i], sorted.data()); });
  for (const absl::Status& status : done) SYNCLINE_RETURN_IF_ERROR(status);
  return absl::OkStatus();
}

absl::Status SpillFile::ReadRun(const Run& run, const Part* const* parts) {
  const size_t bytes = run.end - run.begin;
  char* const scratch = bytes <= kMostRead ? Scratch() : static_cast<char*>(std::aligned_alloc(kBlock, bytes));
  absl::Status status;
  for (size_t done = 0; done < bytes && status.ok();) {
    const ssize_t n = pread(file_, scratch + done, bytes - done, static_cast<off_t>(run.begin + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      status = Failed(Access::kRead, run.begin + done, n == 0 ? 0 : errno);
    } else {
      done += static_cast<size_t>(n);
    }
  }
  for (size_t i = run.first; i <= run.last && status.ok(); ++i) {
    std::memcpy(parts[i]->to, scratch + (parts[i]->place + parts[i]->offset - run.begin), parts[i]->size);
  }
  if (bytes > kMostRead) std::free(scratch);
  read_ += bytes;
  ++reads_;
  return status;
}

void SpillFile::Free(uint64_t place, size_t bytes) {
  absl::MutexLock lock(&mu_);
  used_ -= bytes;
  free_[bytes].push_back(place);
}

SpillFile::Counters SpillFile::counters() const {
  absl::MutexLock lock(&mu_);
  return {used_, written_, read_, writes_, reads_};
}

uint64_t SpillFile::size() const {
  absl::MutexLock lock(&mu_);
  return end_;
}

}  // namespace syncline
