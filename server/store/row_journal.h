#ifndef SYNCLINE_SERVER_STORE_ROW_JOURNAL_H_
#define SYNCLINE_SERVER_STORE_ROW_JOURNAL_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/types/span.h"

namespace syncline {

// Which keys the latest updates of a slot touched, or rows of which they erased, as far back as it was left to
// remember: so a copy is brought up to date without a look at all rows. Not thread-safe; const methods may run
// together.
class RowJournal {
 public:
  // Nothing before `version` is known.
  void BeginAt(uint64_t version);
  // Keys that the update to `version`, the latest, touched. Again for the same one adds to them.
  void Add(uint64_t version, absl::Span<const uint64_t> keys);
  // Forgets the oldest updates until at most so many keys are left.
  void Trim(size_t keys);

  // The keys touched after `version`, each once, ascending. Nothing if that is too long ago.
  std::optional<std::vector<uint64_t>> Since(uint64_t version) const;

 private:
  struct Update {
    uint64_t version = 0;
    std::vector<uint64_t> keys;
  };

  uint64_t begin_ = 0;
  std::deque<Update> updates_;
  size_t keys_ = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_ROW_JOURNAL_H_
