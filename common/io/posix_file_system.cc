#include "common/io/posix_file_system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace syncline {
namespace {

namespace fs = std::filesystem;

absl::Status Error(int number, absl::string_view doing, const std::string& path) {
  std::string hint;
  if (number == ENOSPC || number == EDQUOT) hint = " (make room or choose another folder)";
  return absl::ErrnoToStatus(number, absl::StrCat("can't ", doing, " ", path, hint));
}

// Closes what it holds.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }

  int number() const { return number_; }
  bool ok() const { return number_ >= 0; }
  int Close() { return close(std::exchange(number_, -1)); }

 private:
  int number_;
};

Descriptor OpenDescriptor(const std::string& path, int flags) {
  int number;
  do {
    number = open(path.c_str(), flags | O_CLOEXEC, 0644);
  } while (number < 0 && errno == EINTR);
  return Descriptor(number);
}

class PosixWritableFile : public WritableFile {
 public:
  PosixWritableFile(Descriptor file, std::string path)
      : file_(std::move(file)), path_(std::move(path)) {}

  absl::Status Append(absl::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = write(file_.number(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Error(errno, "write", path_);
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    if (fsync(file_.number()) != 0) return Error(errno, "sync", path_);
    return absl::OkStatus();
  }

  absl::Status Close() override {
    if (file_.Close() != 0) return Error(errno, "close", path_);
    return absl::OkStatus();
  }

 private:
  Descriptor file_;
  const std::string path_;
};

class PosixReadableFile : public ReadableFile {
 public:
  PosixReadableFile(Descriptor file, uint64_t size, std::string path)
      : file_(std::move(file)), size_(size), path_(std::move(path)) {}

  uint64_t size() const override { return size_; }

  absl::Status Read(uint64_t offset, size_t count, char* to) const override {
    while (count > 0) {
      const ssize_t n = pread(file_.number(), to, count, static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return Error(errno, "read", path_);
      if (n == 0) {
        return absl::DataLossError(
            absl::StrCat(path_, " ends at byte ", offset, ", ", count, " bytes too early"));
      }
      offset += static_cast<uint64_t>(n);
      to += n;
      count -= static_cast<size_t>(n);
    }
    return absl::OkStatus();
  }

 private:
  const Descriptor file_;
  const uint64_t size_;
  const std::string path_;
};

class PosixFiles : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    Descriptor file = OpenDescriptor(path, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file.ok()) return Error(errno, "create", path);
    return std::make_unique<PosixWritableFile>(std::move(file), path);
  }

  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override {
    Descriptor file = OpenDescriptor(path, O_RDONLY);
    struct stat facts;
    if (!file.ok() || fstat(file.number(), &facts) != 0) return Error(errno, "read", path);
    if (!S_ISREG(facts.st_mode)) {
      return absl::InvalidArgumentError(absl::StrCat("can't read ", path, ": it is no file"));
    }
    return std::make_unique<PosixReadableFile>(std::move(file),
                                               static_cast<uint64_t>(facts.st_size), path);
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
    return Error(errno, "rename", absl::StrCat(from, " to ", to));
  }

  absl::Status Link(const std::string& from, const std::string& to) override {
    if (link(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
    return Error(errno, "link", absl::StrCat(from, " to ", to));
  }

  absl::Status RemoveFile(const std::string& path) override {
    if (unlink(path.c_str()) != 0) return Error(errno, "remove", path);
    return absl::OkStatus();
  }

  bool Exists(const std::string& path) override { return access(path.c_str(), F_OK) == 0; }

  absl::Status CreateFolder(const std::string& path) override {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) return Error(error.value(), "create the folder", path);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& folder) override {
    std::error_code error;
    std::vector<std::string> names;
    for (fs::directory_iterator i(folder, error), end; !error && i != end; i.increment(error)) {
      names.push_back(i->path().filename().string());
    }
    if (error) return Error(error.value(), "list", folder);
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::Status RemoveFolder(const std::string& path) override {
    std::error_code error;
    fs::remove_all(path, error);
    if (error) return Error(error.value(), "remove", path);
    return absl::OkStatus();
  }

  absl::Status SyncFolder(const std::string& path) override {
    const Descriptor folder = OpenDescriptor(path, O_RDONLY | O_DIRECTORY);
    if (!folder.ok() || fsync(folder.number()) != 0) return Error(errno, "sync", path);
    return absl::OkStatus();
  }
};

}  // namespace

FileSystem& PosixFileSystem() {
  static PosixFiles* files = new PosixFiles;
  return *files;
}

}  // namespace syncline
