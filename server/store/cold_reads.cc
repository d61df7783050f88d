#include "server/store/cold_reads.h"

namespace syncline {

void ColdReads::Add(std::shared_ptr<const ColdPage> page, size_t offset, size_t size) {
  if (!places_.emplace(std::make_pair(page.get(), offset), bytes_.size()).second) return;
  rows_.push_back({std::move(page), offset, size, bytes_.size()});
  bytes_.resize(bytes_.size() + size);
}

absl::Status ColdReads::Run(ColdPages* pages, absl::Span<ColdReads> reads) {
  std::vector<ColdPages::Part> parts;
  for (ColdReads& one : reads) {
    for (const Row& row : one.rows_) {
      parts.push_back({row.page->place(), row.offset, row.size, &one.bytes_[row.at]});
    }
  }
  return parts.empty() ? absl::OkStatus() : pages->Read(parts);
}

const char* ColdReads::Find(const ColdPage* page, size_t offset) const {
  const auto found = places_.find(std::make_pair(page, offset));
  return found == places_.end() ? nullptr : &bytes_[found->second];
}

}  // namespace syncline
