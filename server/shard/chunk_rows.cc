// Rows of a ChunkTable's tables: how they are read, brought to memory, and moved out of it.

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/buffer.h"
#include "common/tensor/keys.h"
#include "server/shard/chunk_table.h"
#include "server/shard/first_error.h"
#include "server/store/row_chunk.h"

namespace syncline {

absl::StatusOr<std::vector<PulledChunk>> ChunkTable::ReadRows(absl::Span<const uint32_t> slots,
                                                              absl::Span<const Fragments> keys, bool with_state,
                                                              absl::Span<const RowTarget> to) {
  std::vector<PulledChunk> result(slots.size());
  std::vector<ColdReads> cold(slots.size());
  const auto asked = [&](size_t i) { return RowsAsked{keys[i], with_state, to.empty() ? RowTarget() : to[i]}; };
  const size_t bytes = RowBytes(slots, keys);
  SYNCLINE_RETURN_IF_ERROR(FirstErrorOf(options_.parallel_for, bytes, slots.size(), [&](size_t i) {
    return ReadRowsOf(Find(slots[i]), asked(i), nullptr, &cold[i], &result[i]);
  }));
  std::vector<size_t> again;
  for (size_t i = 0; i < slots.size(); ++i) {
    if (!cold[i].empty()) again.push_back(i);
  }
  if (!again.empty()) {
    SYNCLINE_RETURN_IF_ERROR(ColdReads::Run(memory_->store.get(), absl::MakeSpan(cold)));
    SYNCLINE_RETURN_IF_ERROR(FirstErrorOf(options_.parallel_for, bytes, again.size(), [&](size_t k) {
      const size_t i = again[k];
      const absl::Status read = ReadRowsOf(Find(slots[i]), asked(i), &cold[i], nullptr, &result[i]);
      MakeRoom();
      return read;
    }));
  }
  size_t keys_bytes = 0;
  for (const Fragments& of_slot : keys) keys_bytes += of_slot.size();
  absl::MutexLock lock(&counters_mu_);
  pulled_bytes_ += bytes - keys_bytes;
  return result;
}

absl::Status ChunkTable::ReadRowsOf(Slot* slot, const RowsAsked& asked, const ColdReads* read, ColdReads* cold,
                                    PulledChunk* result) const {
  const Keys wanted(asked.keys);
  RowTarget to = asked.to;
  const size_t width = asked.with_state ? maker_->RowWidth(slot->info) : TensorOf(slot->info).table().dim();
  Buffer rows;
  if (to.to == nullptr) {
    rows = Buffer::Allocate(wanted.size() * width * sizeof(float));
    to.to = rows.floats();
  } else if (!to.Fits(wanted.size())) {
    return absl::InvalidArgumentError(
        absl::StrCat("rows.places: one of chunk ", slot->info.id, " is not below the ", to.room, " of rows.room"));
  }
  const auto take = [&]() ABSL_SHARED_LOCKS_REQUIRED(slot->mu) {
    result->chunk = slot->info.id;
    result->version = slot->chunk->version();
    const RowChunk& chunk = *std::as_const(*slot->chunk).rows();
    if (asked.with_state) {
      chunk.ReadWithState(wanted.get(), to, cold);
    } else {
      chunk.Read(wanted.get(), to, cold);
    }
    if (asked.to.to == nullptr && wanted.size() > 0) result->data = rows.Share();
    slot->Count(wanted.size() * width * sizeof(float));
  };
  if (read == nullptr) {
    absl::ReaderMutexLock lock(&slot->mu);
    if (!slot->chunk) return NotHere(slot->info.id);
    take();
    return absl::OkStatus();
  }
  // Alone, so that none leaves again before it is read.
  absl::MutexLock lock(&slot->mu);
  if (!slot->chunk) return NotHere(slot->info.id);
  SYNCLINE_RETURN_IF_ERROR(slot->chunk->rows()->Fetch(wanted.get(), *read));
  take();
  return absl::OkStatus();
}

size_t ChunkTable::RowBytes(absl::Span<const uint32_t> slots, absl::Span<const Fragments> keys) const {
  size_t bytes = 0;
  for (size_t i = 0; i < slots.size(); ++i) {
    const TensorSpec& tensor = TensorOf(Find(slots[i])->info);
    bytes += keys[i].size() / sizeof(uint64_t) * (sizeof(uint64_t) + tensor.table().dim() * sizeof(float));
  }
  return bytes;
}

absl::StatusOr<std::vector<ColdReads>> ChunkTable::ReadCold(absl::Span<const ChunkGradient> gradients) const {
  std::vector<ColdReads> cold(gradients.size());
  if (memory_->cold_rows == 0) return cold;
  size_t bytes = 0;
  for (const ChunkGradient& gradient : gradients) bytes += gradient.keys.size();
  ForEachOf(options_.parallel_for, bytes, gradients.size(), [&](size_t i) {
    const Slot* slot = Find(gradients[i].chunk);
    if (!slot->info.rows) return;
    const Contribution whole{&gradients[i].data, 1, gradients[i].codec, &gradients[i].keys};
    absl::ReaderMutexLock lock(&slot->mu);
    if (slot->chunk) std::as_const(*slot->chunk).rows()->FindCold({whole}, &cold[i]);
  });
  SYNCLINE_RETURN_IF_ERROR(ColdReads::Run(memory_->store.get(), absl::MakeSpan(cold)));
  return cold;
}

absl::Status ChunkTable::FetchRows(const SyncPolicy::ReadyStep& step) {
  if (memory_->cold_rows == 0) return absl::OkStatus();
  Slots slots;
  for (Slot* slot : *owned()) {
    if (slot->info.rows) slots.push_back(slot);
  }
  std::vector<ColdReads> cold(slots.size());
  for (size_t i = 0; i < slots.size(); ++i) {
    absl::MutexLock lock(&slots[i]->mu);
    slots[i]->chunk->rows()->FindCold(MeanOf(*slots[i], step), &cold[i]);
  }
  SYNCLINE_RETURN_IF_ERROR(ColdReads::Run(memory_->store.get(), absl::MakeSpan(cold)));
  for (size_t i = 0; i < slots.size(); ++i) {
    if (cold[i].empty()) continue;
    absl::MutexLock lock(&slots[i]->mu);
    SYNCLINE_RETURN_IF_ERROR(slots[i]->chunk->rows()->Fetch(MeanOf(*slots[i], step), cold[i]));
  }
  return absl::OkStatus();
}

void ChunkTable::MakeRoom() {
  if (!memory_->Over() || memory_->bytes <= no_room_at_ || !room_mu_.ReaderTryLock()) return;
  // When all slots were asked twice and none had a page that could go, what is left is indexes and marks.
  size_t idle = 0;
  while (memory_->Over() && idle < 2 * table_slots_.size()) {
    const auto moved = MoveOut(table_slots_[next_to_move_++ % table_slots_.size()]);
    if (!moved.ok()) break;
    idle = *moved ? 0 : idle + 1;
  }
  const int64_t bytes = memory_->bytes;
  no_room_at_ = memory_->Over() ? bytes + bytes / 64 : 0;
  room_mu_.ReaderUnlock();
}

// Pages are written without the slot's lock. What cannot be written stays.
absl::StatusOr<bool> ChunkTable::MoveOut(Slot* slot) {
  RowPages::Leaving leaving;
  size_t page_bytes = 0;
  {
    absl::MutexLock lock(&slot->mu);
    if (!slot->chunk) return false;
    RowChunk* const rows = slot->chunk->rows();
    leaving = rows->Leave();
    page_bytes = rows->page_bytes();
  }
  if (leaving.pages.empty()) return false;
  std::vector<uint64_t> places(leaving.pages.size());
  const absl::Status written = memory_->store->Write(leaving.bytes, page_bytes, places.data());
  if (!written.ok()) {
    ++memory_->failed_writes;
    places.clear();
  }
  absl::MutexLock lock(&slot->mu);
  if (slot->chunk) {
    slot->chunk->rows()->Left(leaving, places);
  } else {
    for (const uint64_t place : places) memory_->store->Free(place, page_bytes);
  }
  if (!written.ok()) return written;
  return true;
}

}  // namespace syncline
