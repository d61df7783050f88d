// How chunks of a ChunkTable come and go: snapshots, hand-overs, and copies of them.

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/buffer.h"
#include "server/shard/chunk_table.h"
#include "server/store/row_chunk.h"

namespace syncline {

absl::Status ChunkTable::Slot::SetContent(const ChunkSnapshot& from, const ChunkMaker& maker) {
  if (from.part.of > 0) {
    SYNCLINE_ASSIGN_OR_RETURN(chunk, parts->Take());
    return absl::OkStatus();
  }
  if (from.since) return chunk->Merge(from.version, {from.weights, from.gone});
  if (chunk) return chunk->Restore(from.version, {from.weights, from.state});
  SYNCLINE_ASSIGN_OR_RETURN(chunk, maker.MakeFrom(info, from.version, {from.weights, from.state}));
  return absl::OkStatus();
}

absl::StatusOr<bool> ChunkTable::Slot::Set(uint64_t epoch, const ChunkSnapshot& from, const ChunkMaker& maker) {
  if (from.part.of > 0) {
    if (!parts) parts = std::make_unique<ChunkParts>(info, &maker);
    SYNCLINE_RETURN_IF_ERROR(parts->Add(epoch, from));
    if (!parts->complete()) return false;
  }
  SYNCLINE_RETURN_IF_ERROR(SetContent(from, maker));
  parts.reset();
  dedupe.Restore(from.applied);
  steps = from.step;
  gradient_scale = from.last.gradient_scale;
  SetSums(from.last.sums);
  return true;
}

ChunkSnapshot ChunkTable::SnapshotOf(const Slot& slot, const std::optional<CopyState>& held) const {
  ChunkSnapshot snapshot{slot.info.id,
                         slot.chunk->version(),
                         {},
                         {},
                         slot.dedupe.applied(),
                         slot.steps,
                         {slot.gradient_scale, {slot.squared_weights, slot.squared_update}}};
  if (auto change = held ? slot.chunk->ChangedSince(held->version) : std::nullopt) {
    snapshot.since = held;
    snapshot.weights = std::move(change->rows);
    snapshot.gone = std::move(change->gone);
  } else {
    ChunkContent content = slot.chunk->content();
    snapshot.weights = std::move(content.weights);
    snapshot.state = std::move(content.state);
    snapshot.erased = std::move(content.erased);
    snapshot.cold = std::move(content.cold);
  }
  if (const RowChunk* const rows = slot.chunk->rows()) snapshot.row_bytes = rows->row_bytes();
  if (options_.job.sync_mode() != SYNC) return snapshot;
  for (AppliedPushes& applied : snapshot.applied) applied.next = std::min(applied.next, slot.steps);
  return snapshot;
}

std::vector<ChunkSnapshot> ChunkTable::Snapshot() const { return Copy(ids()); }

void ChunkTable::PrepareForSnapshot() const {
  std::map<size_t, size_t> counts;  // of blocks, by size
  for (const uint32_t id : ids()) {
    const ChunkInfo& info = slots_[id]->info;
    if (!info.rows) counts[info.elements * sizeof(float)] += 1 + maker_->state_slots();
  }
  for (const auto& [size, count] : counts) Buffer::Reserve(size, count);
}

absl::Status ChunkTable::CheckFits(const ChunkInfo& info, const ChunkSnapshot& snapshot) const {
  if (snapshot.part.of > 0) return absl::OkStatus();  // ChunkParts looks at what it gets
  if (snapshot.since && !info.rows) {
    return absl::InvalidArgumentError(absl::StrCat("chunk ", info.id, " is no slot of a table: it must come whole"));
  }
  return maker_->Check(info, {snapshot.weights, snapshot.state});
}

absl::Status ChunkTable::Restore(const StoredShard& stored) {
  for (const auto& slot : slots_) {
    if (slot->tenure != Tenure::kOwned && slot->tenure != Tenure::kCopy) continue;
    SYNCLINE_ASSIGN_OR_RETURN(const ChunkSnapshot chunk, stored.read(slot->info.id));
    SYNCLINE_RETURN_IF_ERROR(CheckFits(slot->info, chunk));
    MakeRoom();
    absl::MutexLock lock(&slot->mu);
    SYNCLINE_RETURN_IF_ERROR(slot->Set(0, chunk, *maker_).status());
    slot->steps = stored.step;
  }
  MakeRoom();
  return absl::OkStatus();
}

void ChunkTable::Expect(const std::vector<uint32_t>& chunks) {
  for (const uint32_t id : chunks) {
    Slot* slot = Find(id);
    absl::MutexLock lock(&slot->mu);
    const bool there = slot->tenure == Tenure::kOwned || slot->tenure == Tenure::kLeaving;
    if (!there) slot->tenure = Tenure::kArriving;
  }
  ListOwned();
}

void ChunkTable::ExpectNone() {
  for (const auto& slot : slots_) {
    absl::MutexLock lock(&slot->mu);
    if (slot->tenure != Tenure::kArriving) continue;
    slot->parts.reset();
    slot->tenure = slot->chunk ? Tenure::kCopy : Tenure::kAbsent;
  }
  ListOwned();
}

std::vector<ChunkSnapshot> ChunkTable::Leave(const std::vector<uint32_t>& chunks) {
  std::vector<ChunkSnapshot> snapshots;
  for (const uint32_t id : chunks) {
    Slot* slot = Find(id);
    absl::MutexLock lock(&slot->mu);
    if (slot->tenure != Tenure::kOwned) continue;
    slot->tenure = Tenure::kLeaving;
    slot->staged.clear();
    snapshots.push_back(SnapshotOf(*slot));
  }
  ListOwned();
  return snapshots;
}

absl::Status ChunkTable::Arrive(uint64_t epoch, const std::vector<ChunkSnapshot>& chunks) {
  for (const ChunkSnapshot& chunk : chunks) {
    SYNCLINE_RETURN_IF_ERROR(Elements(chunk.chunk).status());
    const Slot* slot = Find(chunk.chunk);
    SYNCLINE_RETURN_IF_ERROR(CheckFits(slot->info, chunk));
    MakeRoom();
    absl::MutexLock lock(&slot->mu);
    const bool expected = slot->tenure == Tenure::kArriving || slot->tenure == Tenure::kOwned;
    if (expected && !chunk.since) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("chunk ", chunk.chunk, " is not expected here: is its sender an old one?"));
  }
  for (const ChunkSnapshot& chunk : chunks) {
    MakeRoom();
    Slot* slot = Find(chunk.chunk);
    absl::MutexLock lock(&slot->mu);
    if (slot->tenure == Tenure::kOwned) continue;
    SYNCLINE_ASSIGN_OR_RETURN(const bool all, slot->Set(epoch, chunk, *maker_));
    if (all) slot->tenure = Tenure::kOwned;
  }
  MakeRoom();
  ListOwned();
  return absl::OkStatus();
}

void ChunkTable::Release(const ShardMap& map, uint32_t shard) {
  for (const auto& slot : slots_) {
    absl::MutexLock lock(&slot->mu);
    if (slot->tenure != Tenure::kLeaving && slot->tenure != Tenure::kCopy) continue;
    if (IsBackup(map, slot->info.id, shard)) {
      slot->tenure = Tenure::kCopy;
      continue;
    }
    slot->tenure = Tenure::kAbsent;
    KeepCounts(*slot);
    slot->chunk.reset();
    slot->parts.reset();
    slot->dedupe.Restore({});
    slot->copied_epoch = 0;
  }
  ListOwned();
}

std::vector<ChunkSnapshot> ChunkTable::Copy(absl::Span<const uint32_t> chunks,
                                            absl::Span<const std::optional<CopyState>> held) const {
  std::vector<ChunkSnapshot> snapshots;
  for (size_t i = 0; i < chunks.size(); ++i) {
    const Slot* slot = Find(chunks[i]);
    absl::MutexLock lock(&slot->mu);
    if (slot->tenure != Tenure::kOwned && slot->tenure != Tenure::kLeaving) continue;
    snapshots.push_back(SnapshotOf(*slot, held.empty() ? std::nullopt : held[i]));
  }
  return snapshots;
}

absl::StatusOr<std::vector<uint32_t>> ChunkTable::Keep(uint64_t epoch, const std::vector<ChunkSnapshot>& chunks) {
  for (const ChunkSnapshot& chunk : chunks) {
    SYNCLINE_RETURN_IF_ERROR(Elements(chunk.chunk).status());
    const Slot* slot = Find(chunk.chunk);
    SYNCLINE_RETURN_IF_ERROR(CheckFits(slot->info, chunk));
    if (slot->tenure != Tenure::kOwned) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("chunk ", chunk.chunk, " is this shard's own: is the sender of a copy an old one?"));
  }
  std::vector<uint32_t> wanting;
  bool first = false;
  for (const ChunkSnapshot& chunk : chunks) {
    MakeRoom();
    Slot* slot = Find(chunk.chunk);
    absl::MutexLock lock(&slot->mu);
    // A message that was long on its way.
    const bool late = slot->chunk && epoch == slot->copied_epoch &&
                      (chunk.version < slot->chunk->version() || chunk.step < slot->steps);
    if (late || epoch < slot->copied_epoch) continue;
    if (chunk.since && !slot->Follows(chunk)) {
      wanting.push_back(chunk.chunk);
      continue;
    }
    SYNCLINE_ASSIGN_OR_RETURN(const bool all, slot->Set(epoch, chunk, *maker_));
    if (!all) continue;
    slot->copied_epoch = epoch;
    if (slot->tenure != Tenure::kAbsent) continue;
    slot->tenure = Tenure::kCopy;
    first = true;
  }
  MakeRoom();
  if (first) ListOwned();
  return wanting;
}

std::vector<ChangeMapReply::Holding> ChunkTable::Holdings() const {
  std::vector<ChangeMapReply::Holding> holdings;
  for (const auto& slot : slots_) {
    absl::MutexLock lock(&slot->mu);
    if (!slot->chunk) continue;
    ChangeMapReply::Holding& holding = holdings.emplace_back();
    holding.set_chunk(slot->info.id);
    holding.set_owned(slot->tenure == Tenure::kOwned);
    holding.set_step(slot->steps);
    holding.set_version(slot->chunk->version());
  }
  return holdings;
}

absl::StatusOr<ChunkTable::Held> ChunkTable::HeldHere(uint32_t chunk) const {
  const Slot* slot = Find(chunk);
  absl::MutexLock lock(&slot->mu);
  if (slot->chunk) return Held{slot->steps, slot->gradient_scale};
  return absl::FailedPreconditionError(absl::StrCat("there is no copy of chunk ", chunk, " here"));
}

void ChunkTable::TakeOver(const std::vector<uint32_t>& chunks) {
  for (const uint32_t id : chunks) {
    Slot* slot = Find(id);
    absl::MutexLock lock(&slot->mu);
    slot->tenure = Tenure::kOwned;
  }
  ListOwned();
}

}  // namespace syncline
