#include "server/checkpoint_watcher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "server/durability/checkpoint_names.h"
#include "server/durability/checkpoint_reader.h"
#include "spdlog/spdlog.h"

namespace syncline {

CheckpointWatcher::~CheckpointWatcher() {
  closing_.Notify();
  if (thread_.joinable()) thread_.join();
}

void CheckpointWatcher::Start() {
  thread_ = std::thread([this] {
    do {
      Look();
    } while (!closing_.WaitForNotificationWithTimeout(options_.interval));
  });
}

absl::StatusOr<CheckpointWatcher::Identity> CheckpointWatcher::Newest() const {
  Identity identity;
  SYNCLINE_ASSIGN_OR_RETURN(identity.folder, LatestCheckpoint(*options_.files, options_.directory));
  const auto sum = ReadFile(*options_.files, absl::StrCat(identity.folder, "/", kManifestSumFile));
  // Without one it is damaged, which reading it will say.
  if (sum.ok()) identity.manifest = *sum;
  return identity;
}

void CheckpointWatcher::Look() {
  const auto newest = Newest();
  if (!newest.ok()) return Note(newest.status());
  if (*newest == read_) return Note(absl::OkStatus());
  if (*newest == failed_ && pause_ > 0) {
    --pause_;
    return;
  }
  const absl::Status status = Read(*newest);
  if (!status.ok()) {
    longest_ = *newest == failed_ ? std::min(2 * longest_ + 1, kLongestPause) : 0;
    pause_ = longest_;
    failed_ = *newest;
    absl::MutexLock lock(&mu_);
    ++refused_;
  }
  Note(status);
}

absl::Status CheckpointWatcher::Read(const Identity& identity) {
  SYNCLINE_ASSIGN_OR_RETURN(std::shared_ptr<ServedCheckpoint> next,
                            ServedCheckpoint::Load(*options_.files, identity.folder, options_.part));
  if (served_ != nullptr) SYNCLINE_RETURN_IF_ERROR(served_->CheckFollows(*next));
  spdlog::info("serving {} of job {}, step {}", next->folder(), next->job(), next->step());
  read_ = identity;
  served_ = next;
  options_.serve(std::move(next));
  return absl::OkStatus();
}

// Each trouble is said once.
void CheckpointWatcher::Note(const absl::Status& status) {
  const std::string trouble = status.ok() ? "" : std::string(status.message());
  {
    absl::MutexLock lock(&mu_);
    if (std::exchange(trouble_, trouble) == trouble) return;
  }
  if (status.ok()) return;
  if (served_ == nullptr) return spdlog::warn("nothing to serve yet: {}", trouble);
  spdlog::error("{}; step {} is served on", trouble, served_->step());
}

std::string CheckpointWatcher::trouble() const {
  absl::MutexLock lock(&mu_);
  return trouble_;
}

uint64_t CheckpointWatcher::refused() const {
  absl::MutexLock lock(&mu_);
  return refused_;
}

}  // namespace syncline
