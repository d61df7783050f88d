#ifndef SYNCLINE_SERVER_STORE_ERASED_ROWS_H_
#define SYNCLINE_SERVER_STORE_ERASED_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/types/span.h"

namespace syncline {

// Which rows a slot erased lately, so that whoever has the slot as it was some updates ago can be told what has gone
// since. Remembers a bounded number: who asks for what lies further back has to take all rows.
//
// Immutable, hence thread-safe.
class ErasedRows {
 public:
  // Of a slot that is at `version`, of whose erasures before nothing is known.
  explicit ErasedRows(uint64_t version) : since_(version) {}

  // These and `keys`, erased after update number `version`; of all of them the last `most`, or a little fewer.
  std::shared_ptr<const ErasedRows> With(uint64_t version, absl::Span<const uint64_t> keys, size_t most) const;

  // The keys of rows erased since the slot was at `version`, some of which may have a row again. Nothing: it is not
  // known any more.
  std::optional<std::vector<uint64_t>> Since(uint64_t version) const;

 private:
  struct Erased {
    uint64_t version;
    uint64_t key;
  };
  // Complete for what was erased by later updates than this one.
  uint64_t since_;
  std::vector<Erased> rows_;  // the oldest first
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_ERASED_ROWS_H_
