#include "server/store/row_journal.h"

#include <algorithm>

namespace syncline {

void RowJournal::BeginAt(uint64_t version) {
  begin_ = version;
  updates_.clear();
  keys_ = 0;
}

void RowJournal::Add(uint64_t version, absl::Span<const uint64_t> keys) {
  if (keys.empty()) return;
  if (updates_.empty() || updates_.back().version != version) updates_.push_back({version, {}});
  std::vector<uint64_t>& touched = updates_.back().keys;
  touched.insert(touched.end(), keys.begin(), keys.end());
  keys_ += keys.size();
}

void RowJournal::Trim(size_t keys) {
  while (keys_ > keys) {
    begin_ = updates_.front().version;
    keys_ -= updates_.front().keys.size();
    updates_.pop_front();
  }
}

std::optional<std::vector<uint64_t>> RowJournal::Since(uint64_t version) const {
  if (version < begin_) return std::nullopt;
  std::vector<uint64_t> touched;
  for (auto update = updates_.rbegin(); update != updates_.rend() && update->version > version; ++update) {
    touched.insert(touched.end(), update->keys.begin(), update->keys.end());
  }
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  return touched;
}

}  // namespace syncline
