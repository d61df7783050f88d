#include "common/io/fault_file_system.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

absl::Status NotFound(const std::string& path) {
  return absl::NotFoundError(absl::StrCat(path, " is not there"));
}

bool IsUnder(const std::string& path, const std::string& folder) {
  return absl::StartsWith(path, folder + "/");
}

// A copy of the bytes when it was opened.
class MemoryFile : public ReadableFile {
 public:
  explicit MemoryFile(std::string bytes) : bytes_(std::move(bytes)) {}
  uint64_t size() const override { return bytes_.size(); }
  absl::Status Read(uint64_t offset, size_t count, char* to) const override {
    if (offset > bytes_.size() || count > bytes_.size() - offset) {
      return absl::DataLossError("the file ends too early");
    }
    std::copy_n(bytes_.data() + offset, count, to);
    return absl::OkStatus();
  }

 private:
  const std::string bytes_;
};

}  // namespace

class FaultFileSystem::Writer : public WritableFile {
 public:
  Writer(FaultFileSystem* files, uint64_t life, std::shared_ptr<Node> node)
      : files_(files), life_(life), node_(std::move(node)) {}
  absl::Status Append(absl::string_view bytes) override {
    return files_->Append(life_, node_.get(), bytes);
  }
  absl::Status Sync() override { return files_->Sync(life_, node_.get()); }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  FaultFileSystem* const files_;
  const uint64_t life_;
  const std::shared_ptr<Node> node_;
};

void FaultFileSystem::FailAt(uint64_t n, absl::Status error) {
  absl::MutexLock lock(&mutex_);
  fail_at_ = n == 0 ? 0 : changes_ + n;
  error_ = std::move(error);
}

uint64_t FaultFileSystem::changes() const {
  absl::MutexLock lock(&mutex_);
  return changes_;
}

void FaultFileSystem::SetCapacity(uint64_t bytes) {
  absl::MutexLock lock(&mutex_);
  capacity_ = bytes;
}

void FaultFileSystem::Crash() {
  absl::MutexLock lock(&mutex_);
  now_ = synced_;
  used_ = 0;
  for (auto& [path, node] : now_) {
    node->bytes = node->synced;
    used_ += node->bytes.size();
  }
  ++life_;
  fail_at_ = 0;
  capacity_ = std::numeric_limits<uint64_t>::max();
}

absl::Status FaultFileSystem::Change() {
  ++changes_;
  return fail_at_ != 0 && changes_ >= fail_at_ ? error_ : absl::OkStatus();
}

absl::Status FaultFileSystem::Append(uint64_t life, Node* node, absl::string_view bytes) {
  absl::MutexLock lock(&mutex_);
  SYNCLINE_RETURN_IF_ERROR(Change());
  if (life != life_) return absl::FailedPreconditionError("opened before the crash");
  if (used_ + bytes.size() > capacity_) return absl::ResourceExhaustedError("the disk is full");
  used_ += bytes.size();
  node->bytes.append(bytes.data(), bytes.size());
  return absl::OkStatus();
}

absl::Status FaultFileSystem::Sync(uint64_t life, Node* node) {
  absl::MutexLock lock(&mutex_);
  SYNCLINE_RETURN_IF_ERROR(Change());
  if (life != life_) return absl::FailedPreconditionError("opened before the crash");
  node->synced = node->bytes;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<WritableFile>> FaultFileSystem::Create(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  SYNCLINE_RETURN_IF_ERROR(Change());
  if (now_.count(ParentFolder(path)) == 0) return NotFound(ParentFolder(path));
  auto node = std::make_shared<Node>();
  now_[path] = node;
  return std::make_unique<Writer>(this, life_, std::move(node));
}

absl::StatusOr<std::unique_ptr<ReadableFile>> FaultFileSystem::Open(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  const auto found = now_.find(path);
  if (found == now_.end() || found->second->folder) return NotFound(path);
  return std::make_unique<MemoryFile>(found->second->bytes);
}

absl::Status FaultFileSystem::Rename(const std::string& from, const std::string& to) {
  absl::MutexLock lock(&mutex_);
  SYNCLINE_RETURN_IF_ERROR(Change());
  if (now_.count(from) == 0) return NotFound(from);
  if (now_.count(ParentFolder(to)) == 0) return NotFound(ParentFolder(to));
  Names renamed;
  for (const auto& [path, node] : now_) {
    const bool moves = path == from || IsUnder(path, from);
    if (moves) renamed[to + path.substr(from.size())] = node;
    if (!moves && path != to) renamed.emplace(path, node);
  }
  now_ = std::move(renamed);
  return absl::OkStatus();
}

absl::Status FaultFileSystem::Link(const std::string& from, const std::string& to) {
  absl::MutexLock lock(&mutex_);
  SYNCLINE_RETURN_IF_ERROR(Change());
  const auto found = now_.find(from);
  if (found == now_.end() || found->second->folder) return NotFound(from);
  if (now_.count(ParentFolder(to)) == 0) return NotFound(ParentFolder(to));
  if (!now_.emplace(to, found->second).second) return absl::AlreadyExistsError(absl::StrCat(to, " is there"));
  return absl::OkStatus();
}

absl::Status FaultFileSystem::RemoveFile(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  SYNCLINE_RETURN_IF_ERROR(Change());
  return now_.erase(path) == 1 ? absl::OkStatus() : NotFound(path);
}

bool FaultFileSystem::Exists(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  return now_.count(path) > 0;
}

absl::Status FaultFileSystem::CreateFolder(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  SYNCLINE_RETURN_IF_ERROR(Change());
  for (std::string folder = path; now_.count(folder) == 0; folder = ParentFolder(folder)) {
    auto node = std::make_shared<Node>();
    node->folder = true;
    now_[folder] = node;
    // The root can't be lost.
    if (folder == "/" || folder == ".") synced_[folder] = node;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> FaultFileSystem::List(const std::string& folder) {
  absl::MutexLock lock(&mutex_);
  if (now_.count(folder) == 0) return NotFound(folder);
  std::vector<std::string> names;
  for (const auto& [path, node] : now_) {
    if (path != folder && ParentFolder(path) == folder) {
      names.push_back(path.substr(path.find_last_of('/') + 1));
    }
  }
  return names;
}

absl::Status FaultFileSystem::RemoveFolder(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  SYNCLINE_RETURN_IF_ERROR(Change());
  for (auto i = now_.begin(); i != now_.end();) {
    i = i->first == path || IsUnder(i->first, path) ? now_.erase(i) : std::next(i);
  }
  return absl::OkStatus();
}

absl::Status FaultFileSystem::SyncFolder(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  SYNCLINE_RETURN_IF_ERROR(Change());
  if (now_.count(path) == 0) return NotFound(path);
  const auto entries_gone = [&](const Names& from, const Names& kept) {
    std::vector<std::string> gone;
    for (const auto& [name, node] : from) {
      if (name != path && ParentFolder(name) == path && kept.count(name) == 0) gone.push_back(name);
    }
    return gone;
  };
  for (const std::string& gone : entries_gone(synced_, now_)) {
    for (auto i = synced_.begin(); i != synced_.end();) {
      i = i->first == gone || IsUnder(i->first, gone) ? synced_.erase(i) : std::next(i);
    }
  }
  // An entry that came by renaming a folder brings along what was synced inside, under other names.
  for (const auto& [name, node] : now_) {
    if (name == path || ParentFolder(name) != path) continue;
    const bool arrived = synced_.count(name) == 0;
    synced_[name] = node;
    if (!arrived || !node->folder) continue;
    for (const auto& [inner, inner_node] : now_) {
      if (IsUnder(inner, name) && (inner_node->folder || !inner_node->synced.empty())) {
        synced_[inner] = inner_node;
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace syncline
