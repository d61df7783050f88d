#include "server/store/cold_rows.h"

#include <algorithm>

#include "common/status/status_macros.h"
#include "common/tensor/buffer.h"

namespace syncline {

void ColdRows::Add(const std::shared_ptr<const ColdPage>& page, uint32_t first, uint32_t rows, uint32_t newest) {
  if (pages_.empty() || pages_.back() != page) pages_.push_back(page);
  runs_.push_back({page.get(), first, rows, newest});
  rows_ += rows;
}

absl::Status ColdRows::ForEachBlock(size_t most, const Visit& visit) const {
  return Read(most, [](const Run&) { return true; }, visit);
}

absl::Status ColdRows::Read(size_t most, const Wanted& wanted, const Visit& visit) const {
  size_t left = 0;
  for (const Run& run : runs_) left += wanted(run) ? run.rows : 0;
  const size_t block_rows = std::max<size_t>(most / stride_, 1);
  auto run = runs_.begin();
  size_t done = 0;  // rows of the run
  while (left > 0) {
    const size_t rows = std::min(left, block_rows);
    Buffer block = Buffer::Allocate(rows * stride_);
    std::vector<ColdPages::Part> parts;
    for (size_t at = 0; at < rows;) {
      const size_t taken = wanted(*run) ? std::min(rows - at, run->rows - done) : 0;
      if (taken > 0) {
        char* const to = block.data() + at * stride_;
        parts.push_back({run->page->place(), (run->first + done) * stride_, taken * stride_, to});
      }
      at += taken;
      done += taken;
      if (taken > 0 && done < run->rows) continue;
      ++run;
      done = 0;
    }
    SYNCLINE_RETURN_IF_ERROR(store_->Read(parts));
    SYNCLINE_RETURN_IF_ERROR(visit(block.Share()));
    left -= rows;
  }
  return absl::OkStatus();
}

absl::StatusOr<Fragments> Load(const StoredRows& rows) {
  if (rows.cold == nullptr) return rows.memory;
  const auto blocks = std::make_shared<std::vector<Fragments>>();
  blocks->push_back(rows.memory);
  SYNCLINE_RETURN_IF_ERROR(rows.cold->ForEachBlock(rows.cold->size(), [&](const Fragments& block) {
    blocks->push_back(block);
    return absl::OkStatus();
  }));
  Fragments all(blocks);
  for (const Fragments& block : *blocks) {
    for (const Fragments::Piece& piece : block.pieces()) all.Append(piece.data, piece.size);
  }
  return all;
}

}  // namespace syncline
