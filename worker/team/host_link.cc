#include "worker/team/host_link.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/rpc/call.h"
#include "common/status/status_macros.h"
#include "proto/team.grpc.pb.h"
#include "worker/team/revocation.h"

namespace syncline {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(2);
// What lies in no lent block is copied up to this size.
constexpr size_t kShortBytes = size_t{32} << 10;

}  // namespace

absl::StatusOr<std::unique_ptr<HostLink>> HostLink::Attach(const std::shared_ptr<grpc::Channel>& channel,
                                                           const SharedBlocks* memory) {
  SYNCLINE_ASSIGN_OR_RETURN(auto word, SharedMemory::Create(Revocation::kBytes));
  std::unique_ptr<HostLink> host(new HostLink(word, memory));
  const auto ask = [&](const AttachMemoryRequest& request) {
    return Call<AttachMemoryReply>(*TeamMessages::NewStub(channel), &TeamMessages::Stub::AttachMemory, request,
                                   kTimeout);
  };
  LentBlocks blocks = {word};
  {
    absl::MutexLock lock(&host->mu_);
    for (auto& block : memory->blocks()) {
      host->lent_.push_back(block);
      blocks.push_back(std::move(block));
    }
  }
  SYNCLINE_ASSIGN_OR_RETURN(host->link_, LocalLink::Attach(ask, Sender(), blocks, {}));
  if (host->link_ == nullptr) return nullptr;
  return host;
}

void HostLink::Close() {
  Revocation(word_->data()).Set();
  if (link_ != nullptr) link_->Close();
}

void HostLink::LendNew() {
  const auto blocks = memory_->blocks();
  absl::MutexLock lock(&mu_);
  for (const auto& block : blocks) {
    const bool known = std::any_of(lent_.begin(), lent_.end(), [&](const auto& l) { return l.lock() == block; });
    if (known) continue;
    lent_.push_back(block);
    link_->Lend(block);
  }
}

bool HostLink::Send(TeamMessage head, const Fragments& data, Done done) {
  const Revocation revocation(word_->data());
  if (link_->ended() || revocation.IsSet()) return false;
  std::vector<LocalLink::Chunk> chunks;
  for (const Fragments::Piece& piece : data.pieces()) chunks.push_back({piece.data, piece.size});
  std::optional<LocalLink::Places> places = link_->Find(chunks);
  if (places) {
    LentData* const lent = head.mutable_lent();
    lent->set_segment(places->segment);
    for (const uint64_t offset : places->offsets) lent->add_offsets(offset);
    for (const LocalLink::Chunk& chunk : chunks) lent->add_bytes(chunk.bytes);
  } else if (data.size() <= kShortBytes) {
    for (const Fragments::Piece& piece : data.pieces()) head.mutable_data()->append(piece.data, piece.size);
  } else {
    LendNew();
    return false;
  }
  return link_->Call(LocalFrame::kDeliver, head.SerializeAsString(),
                     [word = word_, done = std::move(done)](const absl::StatusOr<std::string>& answer) {
                       if (!answer.ok()) Revocation(word->data()).Set();
                       done(answer.status());
                     });
}

}  // namespace syncline
