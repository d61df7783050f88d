#include "worker/client/pull_operation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/codec/codec.h"
#include "common/status/status_macros.h"

namespace syncline {

PullOperation::PullOperation(const Router* router, size_t groups, const Client::Destination& to,
                             Client::PullDone done, ChunkVersions* versions, HeldWeights* held,
                             std::vector<std::shared_ptr<const SlotRows>> rows)
    : router_(router),
      to_(to.tensors.begin(), to.tensors.end()),
      ready_(to.ready),
      done_(std::move(done)),
      versions_(versions),
      held_(held),
      rows_(std::move(rows)),
      missing_(router->tensors()),
      replies_(groups) {
  for (size_t t = 0; t < missing_.size(); ++t) missing_[t] = router->tensor_chunks(t);
}

void PullOperation::Receive(const Router::Group& group, absl::StatusOr<grpc::ByteBuffer> reply) {
  const absl::Status status = reply.ok() ? Take(group, *reply) : reply.status();
  if (!status.ok()) Fail(status);
  if (--replies_ > 0) return;
  Finish();
}

void PullOperation::Finish() {
  absl::StatusOr<Client::PullOutcome> result = Client::PullOutcome();
  {
    absl::MutexLock lock(&mu_);
    if (error_.ok()) {
      result = outcome_;
    } else {
      result = error_;
    }
  }
  done_(std::move(result));
}

absl::Status PullOperation::Take(const Router::Group& group, const grpc::ByteBuffer& reply) {
  SYNCLINE_ASSIGN_OR_RETURN(const DecodedPullReply decoded, DecodePullReply(reply));
  {
    absl::MutexLock lock(&mu_);
    outcome_.clock = std::max(outcome_.clock, decoded.head.clock());
    outcome_.lowest_clock = std::min(outcome_.lowest_clock.value_or(decoded.head.clock()), decoded.head.clock());
    map_epoch_ = std::max(map_epoch_, decoded.head.map_epoch());
    outcome_.state_wanted = outcome_.state_wanted || decoded.head.state_wanted();
    if (decoded.head.verdict() != PullReply::GRANTED) outcome_.verdict = decoded.head.verdict();
  }
  if (decoded.head.verdict() != PullReply::GRANTED) return absl::OkStatus();
  if (decoded.chunks.size() != group.chunks.size()) {
    return absl::InternalError(absl::StrCat("shard ", group.shard, " answered a pull of ",
                                            group.chunks.size(), " chunks with ",
                                            decoded.chunks.size()));
  }
  for (size_t i = 0; i < group.chunks.size(); ++i) {
    if (decoded.chunks[i].chunk != group.chunks[i]) {
      return absl::InternalError(absl::StrCat("shard ", group.shard, " sent chunk ",
                                              decoded.chunks[i].chunk, " in place of chunk ",
                                              group.chunks[i]));
    }
    SYNCLINE_RETURN_IF_ERROR(Accept(decoded.chunks[i], decoded.head));
  }
  return absl::OkStatus();
}

absl::Status PullOperation::Accept(const WireChunk& chunk, const PullReply& head) {
  const ChunkInfo& info = router_->chunks()[chunk.chunk];
  if (info.rows) {
    if (versions_ != nullptr) (*versions_)[chunk.chunk] = chunk.version;
    if (head.placed()) return absl::OkStatus();
    return rows_[info.tensor]->Scatter(static_cast<uint32_t>(info.begin), chunk.data, chunk.codec);
  }
  const float* const place = to_[info.tensor] + info.begin;
  if (chunk.unchanged) {
    const HeldWeights::Held held = held_->At(chunk.chunk, place);
    if (held.place == nullptr || held.version != chunk.version || held.life != head.life()) {
      return absl::InternalError(absl::StrCat("chunk ", info.id, " came as unchanged in version ",
                                              chunk.version, ", which is not held here"));
    }
  } else if (!head.placed()) {
    SYNCLINE_RETURN_IF_ERROR(Copy(info, chunk));
  }
  held_->Note(chunk.chunk, {place, chunk.version, head.life()});
  if (versions_ != nullptr) (*versions_)[chunk.chunk] = chunk.version;
  if (--missing_[info.tensor] == 0 && ready_) ready_(info.tensor);
  return absl::OkStatus();
}

absl::Status PullOperation::Copy(const ChunkInfo& info, const WireChunk& chunk) {
  const size_t bytes = EncodedBytes(chunk.codec, info.elements);
  if (chunk.data.size() != bytes) {
    return absl::InternalError(absl::StrCat("chunk ", info.id, " came with ", chunk.data.size(),
                                            " bytes instead of ", bytes));
  }
  DecodeFloats(chunk.codec, chunk.data, info.elements, to_[info.tensor] + info.begin);
  return absl::OkStatus();
}

void PullOperation::Fail(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  if (error_.ok()) error_ = status;
}

}  // namespace syncline
