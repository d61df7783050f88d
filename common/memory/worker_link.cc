#include "common/memory/worker_link.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace syncline {

absl::Status WorkerLink::CheckSender(const Sender& sender) const {
  if (sender.rank() == worker_.rank() && sender.incarnation() == worker_.incarnation()) {
    return absl::OkStatus();
  }
  return absl::PermissionDeniedError(absl::StrCat(
      "sender: rank ", sender.rank(), ", incarnation ", sender.incarnation(),
      " on the link of rank ", worker_.rank(), ", incarnation ", worker_.incarnation()));
}

uint64_t WorkerLink::AddBlock(std::shared_ptr<const SharedMemory> block) {
  absl::MutexLock lock(&mu_);
  blocks_.push_back(std::move(block));
  return blocks_.size();
}

size_t WorkerLink::blocks() const {
  absl::MutexLock lock(&mu_);
  return blocks_.size();
}

absl::StatusOr<char*> WorkerLink::Find(uint64_t segment, uint64_t offset, size_t bytes) const {
  absl::MutexLock lock(&mu_);
  if (segment == 0 || segment > blocks_.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "segment: there is no ", segment, "; ", blocks_.size(), " are lent, from 1"));
  }
  const SharedMemory& block = *blocks_[segment - 1];
  char* const at = block.At(offset, bytes);
  if (at != nullptr && offset % sizeof(float) == 0) return at;
  return absl::InvalidArgumentError(
      absl::StrCat("offset: ", bytes, " bytes at ", offset, " of a segment of ", block.size(),
                   " bytes: they must lie in it and begin at a multiple of ", sizeof(float)));
}

absl::StatusOr<Fragments> WorkerLink::Read(uint64_t segment, uint64_t offset, size_t bytes) {
  SYNCLINE_ASSIGN_OR_RETURN(const char* const at, Find(segment, offset, bytes));
  absl::MutexLock lock(&mu_);
  return Fragments::Of(at, bytes, blocks_[segment - 1]);
}

absl::Status WorkerLink::Write(uint64_t segment, const std::vector<Part>& parts,
                               const ParallelFor& parallel_for) const {
  if (parts.empty()) return absl::OkStatus();
  size_t bytes = 0;
  std::vector<char*> to;
  for (const Part& part : parts) {
    SYNCLINE_ASSIGN_OR_RETURN(char* const at, Find(segment, part.offset, part.data.size()));
    to.push_back(at);
    bytes += part.data.size();
  }
  std::shared_ptr<const SharedMemory> block;
  {
    absl::MutexLock lock(&mu_);
    block = blocks_[segment - 1];
  }
  ForEachOf(parallel_for, bytes, parts.size(), [&](size_t i) {
    block->Touch(parts[i].offset, parts[i].data.size());
    FloatReader(parts[i].data).Copy(parts[i].data.size(), to[i]);
  });
  return absl::OkStatus();
}

void WorkerLink::Begin(const LocalFrame& call) {
  absl::MutexLock lock(&mu_);
  on_close_[call.call] = nullptr;
}

void WorkerLink::Reply(const LocalFrame& call, const absl::Status& status,
                       absl::string_view body) {
  {
    absl::MutexLock lock(&mu_);
    on_close_.erase(call.call);
  }
  LocalFrame answer = call;
  answer.code = static_cast<uint32_t>(status.code());
  const absl::Status sent = socket_.Send(answer.AsBytes(), status.ok() ? body : status.message());
  if (!sent.ok()) socket_.Shutdown();
}

void WorkerLink::OnClose(const LocalFrame& call, std::function<void()> hook) {
  {
    absl::MutexLock lock(&mu_);
    const auto it = on_close_.find(call.call);
    if (it != on_close_.end()) it->second = std::move(hook);
    if (it != on_close_.end() || !closed_) return;
  }
  hook();
}

void WorkerLink::Close() {
  std::map<uint64_t, std::function<void()>> hooks;
  {
    absl::MutexLock lock(&mu_);
    closed_ = true;
    hooks.swap(on_close_);
  }
  for (const auto& [call, hook] : hooks) {
    if (hook != nullptr) hook();
  }
}

}  // namespace syncline
