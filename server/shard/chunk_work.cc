// What the chunks of a ChunkTable cost, and the rows that its tables have.

#include <map>

#include "server/shard/chunk_table.h"
#include "server/store/row_chunk.h"

namespace syncline {
namespace {

void Add(const RowSlot::Counters& counts, RowSlot::Counters* to) {
  to->admitted += counts.admitted;
  to->refused += counts.refused;
  to->erased += counts.erased;
  to->expired += counts.expired;
}

}  // namespace

std::vector<ChunkWork> ChunkTable::Work() const {
  std::vector<ChunkWork> work;
  for (const auto& slot : slots_) {
    const Tenure tenure = slot->tenure;
    const uint64_t bytes = slot->work.load(std::memory_order_relaxed);
    if (bytes == 0 || (tenure != Tenure::kOwned && tenure != Tenure::kCopy)) continue;
    absl::ReaderMutexLock lock(&slot->mu);
    if (slot->chunk) work.push_back({slot->info.id, tenure == Tenure::kOwned, bytes, slot->chunk->bytes()});
  }
  return work;
}

void ChunkTable::KeepCounts(const Slot& slot) {
  if (!slot.chunk || slot.chunk->rows() == nullptr) return;
  absl::MutexLock lock(&counters_mu_);
  Add(slot.chunk->rows()->counters(), &rows_gone_[slot.info.tensor]);
}

void ChunkTable::FillTables(ShardStatusReply* reply) const {
  std::map<uint32_t, RowSlot::Counters> counts;
  {
    absl::MutexLock lock(&counters_mu_);
    counts = rows_gone_;
  }
  std::map<uint32_t, TableStatus> tables;
  uint64_t load = 0;
  for (const auto& slot : slots_) {
    load += slot->work.load(std::memory_order_relaxed);
    if (!slot->info.rows) continue;
    TableStatus& table = tables[slot->info.tensor];
    absl::ReaderMutexLock lock(&slot->mu);
    if (!slot->chunk) continue;
    const RowChunk& rows = *slot->chunk->rows();
    Add(rows.counters(), &counts[slot->info.tensor]);
    if (slot->tenure != Tenure::kOwned) continue;
    table.set_rows(table.rows() + rows.row_count());
    table.set_bytes(table.bytes() + rows.bytes());
  }
  reply->set_load_bytes(load);
  for (auto& [tensor, table] : tables) {
    table.set_name(options_.map.tensors(static_cast<int>(tensor)).name());
    table.set_admitted(counts[tensor].admitted);
    table.set_refused(counts[tensor].refused);
    table.set_evicted(counts[tensor].erased);
    table.set_expired(counts[tensor].expired);
    *reply->add_tables() = std::move(table);
  }
}

}  // namespace syncline
