#include "server/service/lent_segment.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace syncline {

absl::Status LentSegment::CheckLender(const Sender& sender) const {
  if (sender.rank() == rank_ && sender.incarnation() == incarnation_) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat("segment: it was lent by rank ", rank_, ", incarnation ", incarnation_,
                   ", not by rank ", sender.rank(), ", incarnation ", sender.incarnation()));
}

absl::StatusOr<char*> LentSegment::At(uint64_t offset, size_t bytes) const {
  char* const at = memory_->At(offset, bytes);
  if (at != nullptr && offset % sizeof(float) == 0) return at;
  return absl::InvalidArgumentError(
      absl::StrCat("offset: ", bytes, " bytes at ", offset, " of a segment of ", memory_->size(),
                   " bytes: they must lie in it and begin at a multiple of ", sizeof(float)));
}

absl::StatusOr<Fragments> LentSegment::Read(uint64_t offset, size_t bytes) {
  SYNCLINE_ASSIGN_OR_RETURN(const char* const at, At(offset, bytes));
  return Fragments::Of(at, bytes, shared_from_this());
}

LentSegment::Place* LentSegment::Find(uint64_t place) {
  absl::MutexLock lock(&mu_);
  return &places_[place];
}

void LentSegment::Begin(uint64_t place, uint64_t attempt) {
  Place* const to = Find(place);
  // Waits for an earlier attempt that is writing: the worker hears of this one only after that.
  absl::MutexLock lock(&to->mu);
  to->latest = std::max(to->latest, attempt);
}

absl::Status LentSegment::Write(uint64_t place, uint64_t attempt, const std::vector<Part>& parts,
                                const ParallelFor& parallel_for) {
  size_t bytes = 0;
  for (const Part& part : parts) {
    SYNCLINE_RETURN_IF_ERROR(At(part.offset, part.data.size()).status());
    bytes += part.data.size();
  }
  Place* const to = Find(place);
  absl::MutexLock lock(&to->mu);
  if (to->latest > attempt) {
    return absl::CancelledError("the worker has asked again for these weights since");
  }
  ForEachOf(parallel_for, bytes, parts.size(), [&](size_t i) {
    char* at = memory_->At(parts[i].offset, parts[i].data.size());
    for (const Fragments::Piece& piece : parts[i].data.pieces()) {
      std::memcpy(at, piece.data, piece.size);
      at += piece.size;
    }
  });
  return absl::OkStatus();
}

}  // namespace syncline
