#ifndef SYNCLINE_SERVER_STORE_ROW_SLOT_H_
#define SYNCLINE_SERVER_STORE_ROW_SLOT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/optimizer/row_rule.h"
#include "common/tensor/fragments.h"
#include "server/store/erased_rows.h"
#include "server/store/cold_reads.h"
#include "server/store/row_admission.h"
#include "server/store/row_format.h"
#include "server/store/row_gradients.h"
#include "server/store/row_index.h"
#include "server/store/initial_rows.h"
#include "server/store/row_pages.h"
#include "server/store/row_target.h"
#include "server/store/update_settings.h"

namespace syncline {

// A slot of a sparse table: the rows of the keys that hash to it (common/cluster/row_hash), and a version that
// counts its updates. A row is stored from its first update on; before, it reads as the initializer
// has it, so nothing is stored that nobody has changed. Snapshots are copy-on-write, page by page.
//
// A row's bits depend on its own gradients and the numbers of the updates that had them alone:
// neither on other rows nor on the order in which rows came. Numbers are the same for any number of
// slots as long as each slot is given every update, also those that have none of its keys.
//
// Rows may leave memory, pages of them that were not touched lately (Leave, Left). An update needs all rows of its keys
// there: Fetch brings them, after ColdReads has read them or reading what that lacks.
//
// Const methods may run together, others alone; a snapshot may be read and dropped on any thread.
class RowSlot {
 public:
  // What happened to rows since the slot was made here.
  struct Counters {
    uint64_t admitted = 0;  // stored by an update
    uint64_t refused = 0;   // pushes of keys that were not
    uint64_t erased = 0;
    uint64_t expired = 0;  // of them, for their age in seconds (RowChunk)
  };

  // `rule` must outlive the slot. Without `store` no row leaves memory.
  RowSlot(const RowFormat& format, const RowRule* rule, const InitialRows& initializer,
          const AdmissionPolicy& admission = {}, std::shared_ptr<ColdPages> store = nullptr);

  const RowFormat& format() const { return format_; }
  size_t rows() const { return pages_.size(); }
  size_t cold_rows() const { return pages_.cold(); }
  // Memory taken: rows and index. What only snapshots hold is not in it.
  size_t bytes() const { return pages_.bytes() + index_.bytes(); }
  uint64_t version() const { return version_; }
  Counters counters() const { return {admitted_, admission_.refused(), erased_, 0}; }

  // A row as stored (RowFormat), by its number, valid until the next change. As long as none has left memory numbers are
  // 0 … rows() - 1.
  const char* At(size_t row) const { return pages_.At(static_cast<uint32_t>(row)); }
  // The number of each key's row, or RowIndex::kNoRow: it has none, or a cold one. `numbers` has as many as there are keys.
  void Find(absl::Span<const uint64_t> keys, uint32_t* numbers) const;
  // Calls visit(bytes) for each row as stored, of cold pages those for which wanted(notes) holds, whose rows were last
  // touched by updates notes.oldest to notes.newest. An error: some could not be read from disk.
  template <typename Wanted, typename Visit>
  absl::Status ForEachRow(const Wanted& wanted, const Visit& visit) const;

  // The rows' weights, dim floats each, as the updates up to version() left them. Keys may repeat. Where rows are cold, they
  // are added to `cold`, and what is in `out` is of no use.
  void Read(absl::Span<const uint64_t> keys, const RowTarget& out, ColdReads* cold = nullptr) const;
  void Read(absl::Span<const uint64_t> keys, float* out, ColdReads* cold = nullptr) const {
    Read(keys, RowTarget{out}, cold);
  }
  // The same and the rule's state behind each row's weights, format().width() floats together, as the last update of
  // the row left them.
  void ReadWithState(absl::Span<const uint64_t> keys, const RowTarget& out, ColdReads* cold = nullptr) const;
  // Adds the cold rows of these keys.
  void FindCold(absl::Span<const uint64_t> keys, ColdReads* cold) const;
  // Brings them back to memory, and says how many there were. Those that are not among `reads` are read. Where that fails
  // all is as it was.
  absl::StatusOr<size_t> Fetch(absl::Span<const uint64_t> keys, const ColdReads& reads);

  // Takes pages to be written to disk, about `most` of them: of rows that come seldom, and of what is left on cold pages
  // that are half empty.
  RowPages::Leaving Leave(size_t most);
  size_t pages_in_memory() const { return pages_.waiting(); }
  size_t page_bytes() const { return pages_.page_bytes(); }
  // They have been written there; or not, if there are no places.
  void Left(const RowPages::Leaving& pages, absl::Span<const uint64_t> places);

  // One update with the sum of the pushes, which may be none or have no keys. Stores rows of the
  // new keys that are admitted, and drops the gradients of those that are not.
  void Update(absl::Span<const RowGradients> pushes, const UpdateSettings& settings);

  // Erases the rows of these keys that there are, and returns how many. Their places are taken by
  // the last rows. Where cold ones had to be looked at and could not be read, none is erased; those that are known to
  // have rows, `all_there`, are seldom looked at.
  absl::StatusOr<size_t> Erase(absl::Span<const uint64_t> keys, bool all_there = false);

  // All rows as stored, nothing between them, as they are now.
  StoredRows Snapshot() const { return pages_.Snapshot(); }
  // What was erased lately. Belongs to the update that came last, as a slot is looked at between updates.
  const std::shared_ptr<const ErasedRows>& erased() const { return erased_rows_; }

  // Takes another slot's place in its history: `rows` is its snapshot. INVALID_ARGUMENT, and the
  // slot as it was, if these are no rows of this format or a key comes twice. What waits for
  // admission travels by itself.
  absl::Status Restore(uint64_t version, const Fragments& rows);
  // The same for rows that changed since: replaces those, erases the rows of keys that are `gone`, and leaves the others.
  // Where rows cannot be read from disk the slot is as it was, too.
  absl::Status Merge(uint64_t version, const Fragments& rows, absl::Span<const uint64_t> gone = {});

  // KeyAdmission::State and Restore.
  Fragments AdmissionState() const { return admission_.State(); }
  absl::Status RestoreAdmission(const Fragments& state) { return admission_.Restore(state); }

 private:
  struct Scratch;

  void Apply(const RowGradients& push, const UpdateSettings& settings);
  void ApplyBatch(absl::Span<const uint64_t> keys, const UpdateSettings& settings,
                  Scratch* scratch);
  char* Insert(uint64_t key);
  bool FindCold(uint64_t key, ColdReads* cold) const;
  // The numbers of these keys' rows that are cold, else RowIndex::kNoRow, by looking at those that may be it.
  absl::StatusOr<std::vector<uint32_t>> ColdNumbers(absl::Span<const uint64_t> keys, bool all_there) const;
  // `cold`: their ColdNumbers. Keys may repeat.
  size_t EraseFound(absl::Span<const uint64_t> keys, absl::Span<const uint32_t> cold);
  void Put(const Fragments& rows);
  void Move(uint64_t key, const char* row, uint32_t number);
  void Exchange(uint32_t a, uint32_t b);
  // Pages of rows that leave.
  std::vector<uint32_t> ColdestPages(size_t most);
  absl::StatusOr<std::vector<uint32_t>> CompactedPages();
  void NoteAges(uint32_t page);
  void LoadRow(const char* row, size_t place, Scratch* scratch) const;
  void StoreRow(const Scratch& scratch, size_t place, char* row) const;
  void ReadRow(uint64_t key, uint32_t number, float* out) const;
  void ReadAndCatchUp(absl::Span<const uint64_t> keys, const RowTarget& out) const;
  absl::Status CheckRows(const Fragments& rows) const;

  const RowFormat format_;
  const RowRule* const rule_;
  const InitialRows initializer_;
  KeyAdmission admission_;
  uint64_t version_ = 0;
  uint64_t admitted_ = 0;
  uint64_t erased_ = 0;
  std::shared_ptr<const ErasedRows> erased_rows_ = std::make_shared<const ErasedRows>(0);
  RowPages pages_;
  RowIndex index_;
};

template <typename Wanted, typename Visit>
absl::Status RowSlot::ForEachRow(const Wanted& wanted, const Visit& visit) const {
  for (uint32_t page = 0; page < pages_.page_count(); ++page) {
    if (!pages_.is_cold(page)) pages_.ForEachRow(page, [&](uint32_t, const char* row) { visit(row); });
  }
  const auto cold = pages_.AllCold(wanted);
  if (cold == nullptr) return absl::OkStatus();
  return cold->ForEachRow([&](const char* row) {
    visit(row);
    return absl::OkStatus();
  });
}

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_ROW_SLOT_H_
