#include "server/shard/chunk_table.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/optimizer/schedule.h"
#include "common/status/status_macros.h"
#include "common/tensor/buffer.h"
#include "server/shard/first_error.h"
#include "server/store/row_chunk.h"

namespace syncline {
namespace {

void FillRowMemory(const TableMemory& memory, RowMemory* tables) {
  tables->set_rows(memory.rows);
  tables->set_cold_rows(memory.cold_rows);
  tables->set_memory_bytes(memory.bytes);
  tables->set_memory_limit(memory.limit);
  tables->set_asked(memory.asked);
  tables->set_fetched(memory.fetched);
  tables->set_failed_writes(memory.failed_writes);
  if (memory.store == nullptr) return;
  const ColdPages::Counters disk = memory.store->counters();
  tables->set_disk_bytes(disk.bytes);
  tables->set_read_bytes(disk.read);
  tables->set_written_bytes(disk.written);
  tables->set_reads(disk.reads);
  tables->set_writes(disk.writes);
}

}  // namespace

absl::Status ChunkTable::NotHere(uint32_t chunk) {
  return absl::AbortedError(absl::StrCat("chunk ", chunk, " is not on this shard: fetch the shard map"));
}

absl::StatusOr<std::unique_ptr<ChunkTable>> ChunkTable::Create(Options options) {
  SYNCLINE_RETURN_IF_ERROR(ValidateShardMap(options.map));
  auto memory = options.table_memory != nullptr ? options.table_memory : std::make_shared<TableMemory>();
  SYNCLINE_ASSIGN_OR_RETURN(auto maker, ChunkMaker::Create(options.job, options.map, memory, options.seconds));
  return std::unique_ptr<ChunkTable>(new ChunkTable(std::move(options), std::move(memory), std::move(maker)));
}

ChunkTable::ChunkTable(Options options, std::shared_ptr<TableMemory> memory, std::unique_ptr<const ChunkMaker> maker)
    : options_(std::move(options)),
      memory_(std::move(memory)),
      maker_(std::move(maker)),
      by_tensor_(options_.map.tensors_size()) {
  for (const ChunkInfo& info : Chunks(options_.map)) {
    auto slot = std::make_unique<Slot>(info);
    const bool owned = options_.map.owner(static_cast<int>(info.id)) == options_.shard;
    if (owned || IsBackup(options_.map, info.id, options_.shard)) {
      absl::MutexLock lock(&slot->mu);
      slot->tenure = owned ? Tenure::kOwned : Tenure::kCopy;
      slot->chunk = maker_->Make(info);
    }
    by_tensor_[info.tensor].push_back(slot.get());
    if (info.rows) table_slots_.push_back(slot.get());
    slots_.push_back(std::move(slot));
  }
  ListOwned();
}

void ChunkTable::ListOwned() {
  auto owned = std::make_shared<Slots>();
  size_t bytes = 0, arriving = 0, copies = 0;
  for (const auto& slot : slots_) {
    const Tenure tenure = slot->tenure;
    arriving += tenure == Tenure::kArriving;
    copies += tenure == Tenure::kCopy;
    if (tenure != Tenure::kOwned) continue;
    owned->push_back(slot.get());
    bytes += slot->info.elements * sizeof(float);
  }
  bytes_ = bytes;
  arriving_ = arriving;
  copies_ = copies;
  absl::MutexLock lock(&owned_mu_);
  owned_ = std::move(owned);
}

std::vector<uint32_t> ChunkTable::ids() const {
  std::vector<uint32_t> ids;
  for (const Slot* slot : *owned()) ids.push_back(slot->info.id);
  return ids;
}

std::vector<uint32_t> ChunkTable::dense_ids() const {
  std::vector<uint32_t> ids;
  for (const Slot* slot : *owned()) {
    if (!slot->info.rows) ids.push_back(slot->info.id);
  }
  return ids;
}

ChunkTable::Slot* ChunkTable::Find(uint32_t chunk) const {
  return chunk < slots_.size() ? slots_[chunk].get() : nullptr;
}

absl::Status ChunkTable::CheckOwned(uint32_t chunk, bool leaving) const {
  SYNCLINE_RETURN_IF_ERROR(Elements(chunk).status());
  const Tenure tenure = Find(chunk)->tenure;
  if (tenure == Tenure::kOwned) return absl::OkStatus();
  if (leaving && tenure == Tenure::kLeaving) return absl::OkStatus();
  if (tenure == Tenure::kArriving) {
    return absl::UnavailableError(absl::StrCat("chunk ", chunk, " is on its way to this shard"));
  }
  return NotHere(chunk);
}

absl::StatusOr<size_t> ChunkTable::Elements(uint32_t chunk) const {
  const Slot* slot = Find(chunk);
  if (slot != nullptr) return slot->info.elements;
  return absl::InvalidArgumentError(absl::StrCat("there is no chunk ", chunk, ": the model has ",
                                                 slots_.size(), ", counted from 0"));
}

absl::Status ChunkTable::CheckFits(const WorkerState& state) const {
  for (const auto& [place, floats] : state.slots) {
    SYNCLINE_ASSIGN_OR_RETURN(const size_t elements, Elements(place.first));
    if (place.second > kMaxStateSlots) {
      return absl::InvalidArgumentError(absl::StrCat("slot is ", place.second,
                                                     ": it must be from 0 to ", kMaxStateSlots));
    }
    if (floats.size() == elements * sizeof(float)) continue;
    return absl::InvalidArgumentError(absl::StrCat("data: slot ", place.second, " of chunk ",
                                                   place.first, " has ", floats.size(),
                                                   " bytes, the chunk ", elements * sizeof(float)));
  }
  return absl::OkStatus();
}

absl::Status ChunkTable::Check(absl::Span<const ChunkGradient> gradients,
                               std::vector<uint32_t>* skipped) {
  size_t bytes = 0, keys_bytes = 0;
  for (const ChunkGradient& gradient : gradients) {
    bytes += gradient.data.size();
    keys_bytes += gradient.keys.size();
  }
  SYNCLINE_RETURN_IF_ERROR(FirstErrorOf(options_.parallel_for, keys_bytes, gradients.size(), [&](size_t i) {
    const ChunkGradient& gradient = gradients[i];
    const absl::Status known = Elements(gradient.chunk).status();
    if (!known.ok()) return known;
    const ChunkInfo& info = Find(gradient.chunk)->info;
    return CheckGradient(TensorOf(info), info, gradient);
  }));
  if (options_.job.on_nonfinite() == NONFINITE_APPLY) return absl::OkStatus();
  absl::InlinedVector<char, 16> finite(gradients.size());
  ForEachOf(options_.parallel_for, bytes, gradients.size(), [&](size_t i) {
    const ChunkInfo& info = Find(gradients[i].chunk)->info;
    finite[i] = IsFinite(TensorOf(info), info, gradients[i]);
  });
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (finite[i]) continue;
    {
      absl::MutexLock lock(&counters_mu_);
      ++nonfinite_;
    }
    const ChunkInfo& info = Find(gradients[i].chunk)->info;
    if (options_.job.on_nonfinite() != NONFINITE_SKIP) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the gradient of tensor ", TensorOf(info).name(),
          " holds NaN or infinity: lower the learning rate, clip it, or set on_nonfinite to skip"));
    }
    skipped->push_back(info.id);
  }
  return absl::OkStatus();
}

void ChunkTable::Slot::Made(Clock step, float scale) {
  // Of a chunk that was taken over with the step in it, the copy has said it.
  if (step >= steps) {
    steps = step + 1;
    gradient_scale = scale;
  }
  for (auto it = staged.begin(); it != staged.end();) {
    it = it->second.clock <= step ? staged.erase(it) : std::next(it);
  }
}

void ChunkTable::Slot::SetSums(const LayerSums& sums) {
  squared_weights = sums.squared_weights;
  squared_update = sums.squared_update;
}

bool ChunkTable::TakeOnce(Slot* slot, const Sender& sender, Clock clock) {
  return slot->dedupe.Take(sender.rank(), sender.incarnation(), clock) || options_.forget_pushes;
}

void ChunkTable::Count(const ChunkGradient& gradient, std::optional<uint64_t> staleness,
                       double applied) {
  absl::MutexLock lock(&counters_mu_);
  pushed_bytes_ += gradient.data.size();
  duplicates_ += !staleness.has_value();
  apply_seconds_ += applied;
  if (staleness) version_staleness_.Add(*staleness);
}

absl::Status ChunkTable::Apply(const Sender& sender, Clock clock, const ChunkGradient& gradient, const ColdReads& cold,
                               size_t live_workers) {
  Slot* slot = Find(gradient.chunk);
  std::optional<uint64_t> staleness;
  double applied = 0;
  {
    absl::MutexLock lock(&slot->mu);
    const double begin = Seconds();
    slot->Count(gradient.data.size() + gradient.keys.size());
    Chunk& chunk = *slot->chunk;
    const Contribution whole{&gradient.data, 1, gradient.codec, &gradient.keys};
    if (chunk.rows() != nullptr) SYNCLINE_RETURN_IF_ERROR(chunk.rows()->Fetch({whole}, cold));
    const uint64_t own = slot->dedupe.OwnVersion(sender.rank());
    if (TakeOnce(slot, sender, clock)) {
      const uint64_t seen = std::min(gradient.version, chunk.version());
      // A worker pushes once between its pulls, so at most one of the unseen updates is its own.
      staleness = chunk.version() - seen - (own > seen ? 1 : 0);
      const double step = static_cast<double>(chunk.version()) / std::max<size_t>(live_workers, 1);
      UpdateSettings settings = SettingsAt(*slot, step);
      if (options_.job.staleness_scaled_lr()) settings.learning_rate /= 1.0 + *staleness;
      if (maker_->layer_wise()) {
        // The other chunks' parts of the norms are those of their last updates: nobody waits here.
        slot->SetSums(chunk.Prepare({&whole, 1}, settings));
        chunk.Finish(TensorSums(slot->info.tensor), settings);
      } else {
        chunk.Update({&whole, 1}, settings);
      }
      slot->dedupe.SetOwnVersion(sender.rank(), chunk.version());
    }
    applied = Seconds() - begin;
  }
  Count(gradient, staleness, applied);
  MakeRoom();
  return absl::OkStatus();
}

void ChunkTable::Stage(const Sender& sender, Clock clock, const ChunkGradient& gradient) {
  Slot* slot = Find(gradient.chunk);
  std::optional<uint64_t> staleness;
  {
    absl::MutexLock lock(&slot->mu);
    slot->Count(gradient.data.size() + gradient.keys.size());
    if (TakeOnce(slot, sender, clock)) {
      staleness = slot->chunk->version() - std::min(gradient.version, slot->chunk->version());
      slot->staged[sender.rank()] = {sender.incarnation(), clock, gradient};
    }
  }
  Count(gradient, staleness, 0);
}

absl::Status ChunkTable::CheckStaged(Rank rank, Incarnation incarnation, Clock clock) const {
  return CheckStaged(ids(), rank, incarnation, clock);
}

absl::Status ChunkTable::CheckStaged(const std::vector<uint32_t>& chunks, Rank rank,
                                     Incarnation incarnation, Clock clock) const {
  for (const uint32_t id : chunks) {
    const Slot* slot = Find(id);
    absl::MutexLock lock(&slot->mu);
    if (slot->steps > clock) continue;  // taken over with the step in it
    const auto it = slot->staged.find(rank);
    if (it == slot->staged.end() || it->second.incarnation != incarnation ||
        it->second.clock != clock) {
      return absl::FailedPreconditionError(absl::StrCat(
          "rank ", rank, " commits step ", clock, " but has not pushed chunk ", slot->info.id,
          ": push every chunk first, or commit 0 samples"));
    }
  }
  return absl::OkStatus();
}

ChunkTable::Mean ChunkTable::MeanOf(const Slot& slot, const SyncPolicy::ReadyStep& step) {
  double samples = 0;
  for (const auto& c : step.contributions) samples += static_cast<double>(c.samples);
  Mean mean;
  for (const auto& c : step.contributions) {
    const auto staged = slot.staged.find(c.rank);
    // A commit with samples got through only with its gradients staged (CheckStaged). A chunk that was
    // taken over may have this step's update already, or the next one's gradients.
    if (c.samples == 0 || staged == slot.staged.end() || staged->second.clock != step.step) continue;
    const ChunkGradient& gradient = staged->second.gradient;
    mean.push_back(
        {&gradient.data, static_cast<float>(c.samples / samples), gradient.codec, &gradient.keys});
  }
  return mean;
}

void ChunkTable::ForEach(size_t passes, const std::function<void(Slot*)>& body) const {
  const auto slots = owned();
  ForEachOf(options_.parallel_for, passes * bytes_, slots->size(),
            [&](size_t i) { body((*slots)[i]); });
}

StepNormsReply ChunkTable::MeanNorms(const SyncPolicy::ReadyStep& step) const {
  const auto slots = owned();
  StepNormsReply reply;
  reply.mutable_squared_norms()->Resize(static_cast<int>(slots->size()), 0);
  for (const Slot* slot : *slots) reply.add_chunks(slot->info.id);
  ForEachOf(options_.parallel_for, bytes_, slots->size(), [&](size_t i) {
    const Slot& slot = *(*slots)[i];
    absl::MutexLock lock(&slot.mu);
    const Mean mean = MeanOf(slot, step);
    if (!mean.empty()) reply.set_squared_norms(static_cast<int>(i), slot.chunk->SquaredNorm(mean));
  });
  return reply;
}

UpdateSettings ChunkTable::SettingsAt(const Slot& slot, double step) const {
  const Optimizer& optimizer = options_.job.optimizer();
  UpdateSettings settings;
  settings.learning_rate = LearningRate(optimizer.schedule(), maker_->base_rate(slot.info), step);
  settings.clip_value = optimizer.clip_value();
  return settings;
}

absl::Status ChunkTable::ApplyStep(const SyncPolicy::ReadyStep& step, float gradient_scale) {
  const double begin = Seconds();
  {
    absl::MutexLock lock(&room_mu_);
    SYNCLINE_RETURN_IF_ERROR(FetchRows(step));
    UpdateAll(step, gradient_scale);
  }
  MakeRoom();
  absl::MutexLock lock(&counters_mu_);
  apply_seconds_ += Seconds() - begin;
  return absl::OkStatus();
}

void ChunkTable::UpdateAll(const SyncPolicy::ReadyStep& step, float gradient_scale) {
  const auto settings = [&](const Slot& slot) {
    UpdateSettings at = SettingsAt(slot, static_cast<double>(step.step));
    if (!slot.info.rows) at.gradient_scale = gradient_scale;
    return at;
  };
  // Gradients are read, weights and state read and written.
  const size_t passes = step.contributions.size() + 2 * (1 + maker_->state_slots());
  if (!maker_->layer_wise()) {
    ForEach(passes, [&](Slot* slot) {
      absl::MutexLock lock(&slot->mu);
      const Mean mean = MeanOf(*slot, step);
      if (!mean.empty()) slot->chunk->Update(mean, settings(*slot));
      slot->Made(step.step, gradient_scale);
    });
    return;
  }
  ForEach(passes, [&](Slot* slot) {
    absl::MutexLock lock(&slot->mu);
    const Mean mean = MeanOf(*slot, step);
    if (!mean.empty()) slot->SetSums(slot->chunk->Prepare(mean, settings(*slot)));
  });
  ForEach(passes, [&](Slot* slot) {
    absl::MutexLock lock(&slot->mu);
    if (!MeanOf(*slot, step).empty()) slot->chunk->Finish(TensorSums(slot->info.tensor), settings(*slot));
    slot->Made(step.step, gradient_scale);
  });
}

// In the order of the chunks, so that it does not depend on who computed what when.
LayerSums ChunkTable::TensorSums(uint32_t tensor) const {
  LayerSums sums;
  for (const Slot* slot : by_tensor_[tensor]) {
    sums.squared_weights += slot->squared_weights;
    sums.squared_update += slot->squared_update;
  }
  return sums;
}

absl::StatusOr<std::vector<PulledChunk>> ChunkTable::Read(absl::Span<const uint32_t> chunks,
                                                          absl::Span<const uint64_t> held) {
  std::vector<PulledChunk> read(chunks.size());
  uint64_t bytes = 0, unchanged = 0;
  for (size_t i = 0; i < chunks.size(); ++i) {
    Slot* slot = Find(chunks[i]);
    absl::ReaderMutexLock lock(&slot->mu);
    if (!slot->chunk) return NotHere(chunks[i]);
    read[i].chunk = chunks[i];
    read[i].version = slot->chunk->version();
    read[i].unchanged = !held.empty() && held[i] == read[i].version + 1;
    const size_t size = slot->info.elements * sizeof(float);
    (read[i].unchanged ? unchanged : bytes) += size;
    if (read[i].unchanged) continue;
    read[i].data = slot->chunk->weights();
    slot->Count(size);
  }
  absl::MutexLock lock(&counters_mu_);
  pulled_bytes_ += bytes;
  unchanged_bytes_ += unchanged;
  return read;
}

absl::Status ChunkTable::CheckAsked(absl::Span<const uint32_t> chunks, absl::Span<const Fragments> keys) const {
  if (!keys.empty() && keys.size() != chunks.size()) {
    return absl::InvalidArgumentError(absl::StrCat("keys: ", keys.size(), " for ", chunks.size(),
                                                   " chunks; give them for each, or for none"));
  }
  size_t bytes = 0;
  for (const Fragments& of_chunk : keys) bytes += of_chunk.size();
  return FirstErrorOf(options_.parallel_for, bytes, chunks.size(), [&](size_t i) {
    return CheckAsked(chunks[i], keys.empty() ? nullptr : &keys[i]);
  });
}

absl::Status ChunkTable::CheckAsked(uint32_t chunk, const Fragments* keys) const {
  SYNCLINE_RETURN_IF_ERROR(Elements(chunk).status());
  const ChunkInfo& info = Find(chunk)->info;
  if (info.rows != (keys != nullptr)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "keys: chunk ", chunk, " of ", TensorOf(info).name(), info.rows ? " is" : " is not",
        " a slot of a table; pull slots with keys, and other chunks without, in a message of their own"));
  }
  return info.rows ? CheckKeys(TensorOf(info), info, *keys) : absl::OkStatus();
}

absl::StatusOr<TableSlot> ChunkTable::SlotOf(uint32_t chunk) const {
  SYNCLINE_RETURN_IF_ERROR(Elements(chunk).status());
  const ChunkInfo& info = Find(chunk)->info;
  if (!info.rows) {
    return absl::InvalidArgumentError(
        absl::StrCat("rows: chunk ", chunk, " of ", TensorOf(info).name(), " is not a slot of a table and has none"));
  }
  const Table& table = TensorOf(info).table();
  return TableSlot{static_cast<uint32_t>(info.begin), table.slots(), table.dim(), maker_->RowWidth(info)};
}

void ChunkTable::FillStatus(ShardStatusReply* reply) const {
  reply->set_bytes(bytes_);
  reply->set_chunks(owned()->size());
  reply->set_copies(copies_);
  FillRowMemory(*memory_, reply->mutable_row_memory());
  FillTables(reply);
  absl::MutexLock lock(&counters_mu_);
  reply->set_duplicates(duplicates_);
  reply->set_nonfinite(nonfinite_);
  reply->set_apply_seconds(apply_seconds_);
  reply->set_pushed_bytes(pushed_bytes_);
  reply->set_pulled_bytes(pulled_bytes_);
  reply->set_unchanged_bytes(unchanged_bytes_);
  const auto& counts = version_staleness_.counts();
  reply->mutable_version_staleness()->Assign(counts.begin(), counts.end());
}

}  // namespace syncline
