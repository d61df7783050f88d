#ifndef SYNCLINE_SERVER_STORE_COLD_READS_H_
#define SYNCLINE_SERVER_STORE_COLD_READS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/store/cold_pages.h"

namespace syncline {

// Cold rows that somebody needs, and after Run their bytes. Those of several slots are read together, without their
// locks: pages do not change while they are referred to, and whoever uses what was read looks first whether a row
// is still where it was.
//
// Not thread-safe.
class ColdReads {
 public:
  // `size` bytes of a page from `offset`.
  void Add(std::shared_ptr<const ColdPage> page, size_t offset, size_t size);
  bool empty() const { return rows_.empty(); }

  // Reads all that was added; where that fails, this is of no use.
  absl::Status Run(ColdPages* pages) { return Run(pages, absl::MakeSpan(this, 1)); }
  static absl::Status Run(ColdPages* pages, absl::Span<ColdReads> reads);

  // Null: it was not read.
  const char* Find(const ColdPage* page, size_t offset) const;

 private:
  struct Row {
    std::shared_ptr<const ColdPage> page;
    size_t offset;
    size_t size;
    size_t at = 0;  // in bytes_
  };

  std::vector<Row> rows_;
  std::vector<char> bytes_;
  absl::flat_hash_map<std::pair<const ColdPage*, size_t>, size_t> places_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_COLD_READS_H_
