#ifndef SYNCLINE_SERVER_STORE_ROW_CHUNK_H_
#define SYNCLINE_SERVER_STORE_ROW_CHUNK_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/store/chunk.h"
#include "server/store/row_admission.h"
#include "server/store/row_eviction.h"
#include "server/store/row_journal.h"
#include "server/store/row_slot.h"
#include "server/store/table_memory.h"
#include "server/store/update_times.h"

namespace syncline {

// A table's slot as a chunk, which also drops rows every so often, always at the same updates. What
// content() gives is all rows as stored, their state among them; as state the counts of keys that have none yet, and the
// ages of updates where rows are dropped by time.
//
// By time the owner of a slot alone drops rows: its copies are told which, and note when they hear of updates only to be
// ready to take its place.
class RowChunk final : public Chunk {
 public:
  // How many updates come before rows are looked at for eviction again.
  static constexpr uint64_t kEvictionInterval = 64;

  // `rule` must outlive the chunk. `memory` may be null. `journal`: remembers what the latest updates changed
  // (ChangedSince). `seconds`: since some moment, by a clock that nobody sets; null: no time passes.
  RowChunk(const RowFormat& format, const RowRule* rule, const InitialRows& initializer,
           const AdmissionPolicy& admission, const EvictionPolicy& eviction,
           std::shared_ptr<TableMemory> memory = nullptr, bool journal = false,
           std::function<double()> seconds = nullptr);
  ~RowChunk() override;

  // The weights of rows; of those that are not there as they would begin. May run beside other reads. What is cold is
  // added to `cold`, and nothing of what was read counts then: Fetch, and read again.
  void Read(absl::Span<const uint64_t> keys, const RowTarget& to, ColdReads* cold = nullptr) const;
  // With their state, as RowSlot has it.
  void ReadWithState(absl::Span<const uint64_t> keys, const RowTarget& to, ColdReads* cold = nullptr) const;
  // Before an update: of all that it is made of.
  void FindCold(absl::Span<const Contribution> gradients, ColdReads* cold) const;
  absl::Status Fetch(absl::Span<const uint64_t> keys, const ColdReads& reads);
  absl::Status Fetch(absl::Span<const Contribution> gradients, const ColdReads& reads);

  // What makes room in memory (RowSlot). An eighth of the pages leave at a time.
  RowPages::Leaving Leave();
  void Left(const RowPages::Leaving& pages, absl::Span<const uint64_t> places);

  size_t page_bytes() const { return slot_.page_bytes(); }
  size_t row_count() const { return slot_.rows(); }
  size_t row_bytes() const { return slot_.format().stride(); }
  RowSlot::Counters counters() const;

  const RowChunk* rows() const override { return this; }
  RowChunk* rows() override { return this; }
  uint64_t version() const override { return slot_.version(); }
  size_t bytes() const override { return slot_.bytes(); }
  Fragments weights() const override { return {}; }
  ChunkContent content() const override;
  // Counts of keys that were made by another `admission` say nothing of this one's: they are left out, as ages that are none.
  absl::Status Restore(uint64_t version, const ChunkContent& content) override;
  void RestoreState(const std::vector<Fragments>& state);
  std::optional<ChunkChange> ChangedSince(uint64_t version) const override;
  absl::Status Merge(uint64_t version, const ChunkChange& change) override;
  void Update(absl::Span<const Contribution> gradients, const UpdateSettings& settings) override;
  double SquaredNorm(absl::Span<const Contribution>) const override { return 0; }
  LayerSums Prepare(absl::Span<const Contribution> gradients, const UpdateSettings& settings) override {
    Update(gradients, settings);
    return {};
  }
  void Finish(const LayerSums&, const UpdateSettings&) override {}

 private:
  double Now() const { return seconds_ ? seconds_() : 0; }
  // Drops the rows whose time has come, and says which. Where rows cannot be read from disk some may stay, until the
  // next time.
  absl::Status Evict(std::vector<uint64_t>* evicted);
  // It is as another was, so all that came with it was looked at there.
  void Begin();
  // No more is remembered than is worth sending.
  void TrimJournal();
  // Tells what the rows take by now.
  void Account();

  const std::shared_ptr<TableMemory> memory_;
  RowSlot slot_;
  const EvictionPolicy eviction_;
  int64_t bytes_ = 0, rows_ = 0, cold_ = 0;  // told
  std::optional<RowJournal> journal_;
  const std::function<double()> seconds_;
  std::optional<UpdateTimes> times_;
  uint64_t expired_to_ = 0;  // no row is here that this update was the last to touch, nor one before it
  uint64_t judged_ = 0;      // rows that no later update touched were looked at for their norm
  uint64_t expired_ = 0;     // rows
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_ROW_CHUNK_H_
