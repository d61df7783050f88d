#include "server/coordinator/directory_store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/status/status_macros.h"
#include "server/coordinator/metadata_log.h"
#include "spdlog/spdlog.h"

namespace syncline {
namespace {

// Held until the process ends, however it does.
class Lock {
 public:
  explicit Lock(int descriptor) : descriptor_(descriptor) {}
  Lock(Lock&& other) : descriptor_(std::exchange(other.descriptor_, -1)) {}
  ~Lock() {
    if (descriptor_ >= 0) close(descriptor_);
  }

  static absl::StatusOr<Lock> Take(const std::string& path, const std::function<void()>& waiting,
                                   const std::function<bool()>& stop) {
    Lock lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (lock.descriptor_ < 0) {
      return absl::UnavailableError(absl::StrCat("--metadata: ", path, ": ", strerror(errno)));
    }
    for (bool told = false; flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0; told = true) {
      if (errno != EWOULDBLOCK && errno != EINTR) {
        return absl::UnavailableError(absl::StrCat("--metadata: locking ", path, ": ", strerror(errno)));
      }
      if (!told && waiting) waiting();
      if (stop && stop()) return absl::CancelledError("stopped while standing by");
      absl::SleepFor(absl::Milliseconds(50));
    }
    return lock;
  }

 private:
  int descriptor_;
};

class DirectoryStoreImpl final : public MetadataStore {
 public:
  DirectoryStoreImpl(FileSystem* files, std::string folder, Lock lock)
      : files_(files), path_(absl::StrCat(folder, "/log")), lock_(std::move(lock)) {}

  absl::Status Load() {
    absl::MutexLock lock(&mu_);
    if (files_->Exists(path_)) {
      SYNCLINE_ASSIGN_OR_RETURN(log_, ReadFile(*files_, path_));
      size_t end;
      ParseRecords(log_, &end);
      log_.resize(end);
    }
    return WriteAnew();
  }

  absl::StatusOr<std::vector<MetadataRecord>> Read() override {
    absl::MutexLock lock(&mu_);
    size_t end;
    return ParseRecords(log_, &end);
  }

  absl::Status Append(const MetadataRecord& record, bool durable) override {
    absl::MutexLock lock(&mu_);
    return Add(FrameRecord(record), durable);
  }

  absl::Status Decide(const MetadataRecord& record) override {
    absl::MutexLock lock(&mu_);
    const size_t before = log_.size();
    const absl::Status status = Add(FrameRecord(record), true);
    // Also if it is in the file: the next record comes with a log that lacks it.
    if (!status.ok()) log_.resize(before);
    return status;
  }

  absl::Status Begin(const MetadataRecord& first) override {
    absl::MutexLock lock(&mu_);
    std::string before = std::exchange(log_, FrameRecord(first));
    const absl::Status written = WriteAnew();
    if (!written.ok()) log_ = std::move(before);
    return written;
  }

 private:
  // After an error the next one writes all anew.
  absl::Status Add(const std::string& frame, bool durable) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    log_ += frame;
    // A record that was cut short would hide what comes after it.
    if (file_ == nullptr) return WriteAnew();
    absl::Status status = file_->Append(frame);
    if (status.ok() && durable) status = file_->Sync();
    if (!status.ok()) file_ = nullptr;
    return status;
  }

  absl::Status WriteAnew() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    file_ = nullptr;
    const std::string next = path_ + ".new";
    SYNCLINE_ASSIGN_OR_RETURN(auto file, files_->Create(next));
    SYNCLINE_RETURN_IF_ERROR(file->Append(log_));
    SYNCLINE_RETURN_IF_ERROR(file->Sync());
    SYNCLINE_RETURN_IF_ERROR(files_->Rename(next, path_));
    SYNCLINE_RETURN_IF_ERROR(files_->SyncFolder(ParentFolder(path_)));
    file_ = std::move(file);
    return absl::OkStatus();
  }

  FileSystem* const files_;
  const std::string path_;
  const Lock lock_;
  absl::Mutex mu_;
  std::string log_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<WritableFile> file_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<MetadataStore>> DirectoryStore::Open(
    FileSystem* files, const std::string& folder, const std::function<void()>& waiting,
    const std::function<bool()>& stop) {
  SYNCLINE_RETURN_IF_ERROR(files->CreateFolder(folder));
  SYNCLINE_ASSIGN_OR_RETURN(Lock lock, Lock::Take(folder + "/lock", waiting, stop));
  auto store = std::make_unique<DirectoryStoreImpl>(files, folder, std::move(lock));
  // There may be room on a full disk before long.
  absl::Status loaded = store->Load();
  for (bool told = false; absl::IsResourceExhausted(loaded); loaded = store->Load()) {
    if (!std::exchange(told, true)) spdlog::warn("--metadata: {}; trying again", std::string(loaded.message()));
    if (stop && stop()) return absl::CancelledError("stopped while waiting for room");
    absl::SleepFor(absl::Milliseconds(500));
  }
  SYNCLINE_RETURN_IF_ERROR(loaded);
  return std::unique_ptr<MetadataStore>(std::move(store));
}

}  // namespace syncline
