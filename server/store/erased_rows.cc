#include "server/store/erased_rows.h"

namespace syncline {

std::shared_ptr<const ErasedRows> ErasedRows::With(uint64_t version, absl::Span<const uint64_t> keys,
                                                   size_t most) const {
  auto with = std::make_shared<ErasedRows>(since_);
  const size_t count = rows_.size() + keys.size();
  size_t first = count > most ? count - most : 0;
  if (first > 0) with->since_ = first <= rows_.size() ? rows_[first - 1].version : version;
  // What one update erased is remembered whole or not at all.
  while (first < rows_.size() && rows_[first].version <= with->since_) ++first;
  if (with->since_ >= version) return with;
  if (first < rows_.size()) with->rows_.assign(rows_.begin() + static_cast<ptrdiff_t>(first), rows_.end());
  for (const uint64_t key : keys) with->rows_.push_back({version, key});
  return with;
}

std::optional<std::vector<uint64_t>> ErasedRows::Since(uint64_t version) const {
  if (version < since_) return std::nullopt;
  std::vector<uint64_t> keys;
  for (const Erased& row : rows_) {
    if (row.version > version) keys.push_back(row.key);
  }
  return keys;
}

}  // namespace syncline
