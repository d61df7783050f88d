#include "server/service/lent_rows.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/buffer.h"

namespace syncline {
namespace {

absl::Status CheckCount(size_t rows, size_t chunks, const WorkerLink* link) {
  if (link == nullptr) {
    return absl::InvalidArgumentError("rows: places in lent memory mean something on a local link only; send the rows");
  }
  if (rows == chunks) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("rows: ", rows, " for ", chunks, " chunks; give them for each"));
}

absl::StatusOr<Fragments> KeysOf(const LentRows& rows, WorkerLink* link) {
  if (rows.keys() % sizeof(uint64_t) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("rows.keys: ", rows.keys(), " is no multiple of 8"));
  }
  return link->Read(rows.segment(), rows.keys(), rows.count() * sizeof(uint64_t));
}

}  // namespace

absl::StatusOr<std::vector<ChunkGradient>> ReadLentGradients(const PushHeader& header,
                                                             const std::vector<WireChunk>& chunks, const Shard& shard,
                                                             const ParallelFor& spread, WorkerLink* link) {
  SYNCLINE_RETURN_IF_ERROR(CheckCount(header.rows_size(), chunks.size(), link));
  std::vector<ChunkGradient> gradients(chunks.size());
  size_t bytes = 0;
  for (size_t i = 0; i < chunks.size(); ++i) {
    ChunkGradient& gradient = gradients[i];
    const LentRows& rows = header.rows(static_cast<int>(i));
    gradient.chunk = chunks[i].chunk;
    gradient.version = chunks[i].version;
    SYNCLINE_ASSIGN_OR_RETURN(const TableSlot slot, shard.SlotOf(gradient.chunk));
    if (rows.count() == 0) continue;
    SYNCLINE_ASSIGN_OR_RETURN(gradient.keys, KeysOf(rows, link));
    SYNCLINE_ASSIGN_OR_RETURN(
        gradient.data, link->Read(rows.data_segment(), rows.data(), rows.count() * slot.dim * sizeof(float)));
    bytes += gradient.keys.size() + gradient.data.size();
  }
  ForEachOf(spread, bytes, gradients.size(), [&](size_t i) {
    const auto copy = [](Fragments* lent) {
      if (!lent->empty()) *lent = Buffer::CopyOf(*lent).Share();
    };
    copy(&gradients[i].keys);
    if (shard.keeps_gradients()) copy(&gradients[i].data);
  });
  return gradients;
}

absl::StatusOr<LentTargets> FindLentTargets(const PullRequest& pull, const Shard& shard, WorkerLink* link) {
  SYNCLINE_RETURN_IF_ERROR(CheckCount(pull.rows_size(), pull.chunks_size(), link));
  LentTargets targets;
  for (int i = 0; i < pull.rows_size(); ++i) {
    const LentRows& rows = pull.rows(i);
    SYNCLINE_ASSIGN_OR_RETURN(const TableSlot slot, shard.SlotOf(pull.chunks(i)));
    const size_t floats = pull.with_state() ? slot.width : slot.dim;
    Fragments& keys = targets.keys.emplace_back();
    RowTarget& to = targets.to.emplace_back();
    if (rows.count() == 0) continue;
    SYNCLINE_ASSIGN_OR_RETURN(keys, KeysOf(rows, link));
    if (rows.room() == 0 || rows.room() > uint64_t{1} << 32) {
      return absl::InvalidArgumentError(absl::StrCat("rows.room: ", rows.room(), " is not from 1 to 2^32"));
    }
    to.room = rows.room();
    SYNCLINE_ASSIGN_OR_RETURN(
        char* const places, link->Find(rows.segment(), rows.places(), rows.count() * sizeof(uint32_t)));
    to.places = reinterpret_cast<const uint32_t*>(places);
    SYNCLINE_ASSIGN_OR_RETURN(
        char* const data, link->Find(rows.data_segment(), rows.data(), to.room * floats * sizeof(float)));
    to.to = reinterpret_cast<float*>(data);
    targets.bytes += rows.count() * floats * sizeof(float);
  }
  return targets;
}

}  // namespace syncline
