#include "server/shard/chunk_parts.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/buffer.h"
#include "server/store/row_chunk.h"

namespace syncline {

absl::Status ChunkParts::Add(uint64_t epoch, const ChunkSnapshot& part) {
  if (part.part.begin == 0) {
    Clear();
    epoch_ = epoch;
    version_ = part.version;
    of_ = part.part.of;
  }
  const bool follows = epoch == epoch_ && part.version == version_ && part.part.of == of_ && part.part.begin == next_;
  if (!follows || part.weights.size() > of_ - next_) {
    Clear();
    return absl::UnavailableError(absl::StrCat("chunk ", info_.id, ": the part from byte ", part.part.begin, " of ",
                                               part.part.of, " is not the next one: send all of them again"));
  }
  const absl::Status added = AddBytes(part.weights);
  if (added.ok() && info_.rows) chunk_->rows()->RestoreState(part.state);
  if (!added.ok()) Clear();
  next_ += added.ok() ? part.weights.size() : 0;
  return added;
}

absl::Status ChunkParts::AddBytes(const Fragments& bytes) {
  if (!info_.rows) {
    pieces_.push_back(Buffer::CopyOf(bytes).Share());  // the message's memory may be lent for the call alone
    return absl::OkStatus();
  }
  if (chunk_ == nullptr) chunk_ = maker_->Make(info_);
  return chunk_->Merge(version_, {bytes, {}});
}

absl::StatusOr<std::unique_ptr<Chunk>> ChunkParts::Take() {
  auto chunk = Finish();
  Clear();
  return chunk;
}

absl::StatusOr<std::unique_ptr<Chunk>> ChunkParts::Finish() {
  if (info_.rows) {
    const RowChunk& rows = *chunk_->rows();
    if (rows.row_count() * rows.row_bytes() == of_) return std::move(chunk_);
    return absl::InvalidArgumentError(absl::StrCat("slot ", info_.id, ": of ", of_ / rows.row_bytes(), " rows only ",
                                                   rows.row_count(), " have a key of their own"));
  }
  const auto pieces = std::make_shared<const std::vector<Fragments>>(std::move(pieces_));
  Fragments all(pieces);
  for (const Fragments& part : *pieces) {
    for (const Fragments::Piece& piece : part.pieces()) all.Append(piece.data, piece.size);
  }
  const size_t array = info_.elements * sizeof(float);
  ChunkContent content;
  for (size_t begin = 0; begin < all.size(); begin += array) {
    const Fragments floats = all.Sub(begin, std::min(array, all.size() - begin));
    if (begin == 0) {
      content.weights = floats;
    } else {
      content.state.push_back(floats);
    }
  }
  SYNCLINE_RETURN_IF_ERROR(maker_->Check(info_, content));
  return maker_->MakeFrom(info_, version_, content);
}

}  // namespace syncline
