#include "server/store/row_chunk.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

#include "common/codec/row_codec.h"
#include "common/status/status_macros.h"
#include "common/tensor/buffer.h"
#include "common/tensor/keys.h"

namespace syncline {
namespace {

// Written to disk at a time, of a slot.
constexpr size_t kMostPages = 32;
// Changes that take more than one message do not travel as such.
constexpr size_t kMostChanged = size_t{8} << 20;
constexpr size_t kFewKeys = 4096;

}  // namespace

RowChunk::RowChunk(const RowFormat& format, const RowRule* rule, const InitialRows& initializer,
                   const AdmissionPolicy& admission, const EvictionPolicy& eviction,
                   std::shared_ptr<TableMemory> memory, bool journal, std::function<double()> seconds)
    : memory_(memory != nullptr ? std::move(memory) : std::make_shared<TableMemory>()),
      slot_(format, rule, initializer, admission, memory_->store),
      eviction_(eviction),
      seconds_(std::move(seconds)) {
  if (journal) journal_.emplace();
  if (eviction_.max_age_seconds > 0) times_.emplace(eviction_.max_age_seconds);
  Account();
}

RowChunk::~RowChunk() {
  memory_->bytes -= bytes_;
  memory_->rows -= rows_;
  memory_->cold_rows -= cold_;
}

void RowChunk::Account() {
  const auto tell = [](size_t now, int64_t* told, std::atomic<int64_t>* sum) {
    const int64_t more = static_cast<int64_t>(now) - *told;
    if (more != 0) *sum += more;
    *told += more;
  };
  tell(slot_.bytes(), &bytes_, &memory_->bytes);
  tell(slot_.rows(), &rows_, &memory_->rows);
  tell(slot_.cold_rows(), &cold_, &memory_->cold_rows);
}

void RowChunk::Read(absl::Span<const uint64_t> keys, const RowTarget& to, ColdReads* cold) const {
  slot_.Read(keys, to, cold);
  if (cold == nullptr || cold->empty()) memory_->asked += keys.size();
}

void RowChunk::ReadWithState(absl::Span<const uint64_t> keys, const RowTarget& to, ColdReads* cold) const {
  slot_.ReadWithState(keys, to, cold);
  if (cold == nullptr || cold->empty()) memory_->asked += keys.size();
}

void RowChunk::FindCold(absl::Span<const Contribution> gradients, ColdReads* cold) const {
  if (slot_.cold_rows() == 0) return;
  for (const Contribution& one : gradients) slot_.FindCold(Keys(*one.keys).get(), cold);
}

absl::Status RowChunk::Fetch(absl::Span<const uint64_t> keys, const ColdReads& reads) {
  SYNCLINE_ASSIGN_OR_RETURN(const size_t fetched, slot_.Fetch(keys, reads));
  if (fetched == 0) return absl::OkStatus();
  memory_->fetched += fetched;
  Account();
  return absl::OkStatus();
}

absl::Status RowChunk::Fetch(absl::Span<const Contribution> gradients, const ColdReads& reads) {
  for (const Contribution& one : gradients) SYNCLINE_RETURN_IF_ERROR(Fetch(Keys(*one.keys).get(), reads));
  return absl::OkStatus();
}

RowPages::Leaving RowChunk::Leave() {
  RowPages::Leaving pages = slot_.Leave(std::clamp<size_t>(slot_.pages_in_memory() / 8, 1, kMostPages));
  Account();
  return pages;
}

void RowChunk::Left(const RowPages::Leaving& pages, absl::Span<const uint64_t> places) {
  slot_.Left(pages, places);
  Account();
}

ChunkContent RowChunk::content() const {
  StoredRows rows = slot_.Snapshot();
  ChunkContent content{std::move(rows.memory), {}, slot_.erased(), std::move(rows.cold)};
  Fragments counts = slot_.AdmissionState(), ages = times_ ? times_->State(Now()) : Fragments();
  if (!counts.empty() || !ages.empty()) content.state.push_back(std::move(counts));
  if (!ages.empty()) content.state.push_back(std::move(ages));
  return content;
}

void RowChunk::RestoreState(const std::vector<Fragments>& state) {
  if (!state.empty()) slot_.RestoreAdmission(state[0]).IgnoreError();
  if (times_ && state.size() > 1) times_->Restore(state[1], Now()).IgnoreError();
}

absl::Status RowChunk::Restore(uint64_t version, const ChunkContent& content) {
  const absl::Status restored = slot_.Restore(version, content.weights);
  Account();
  SYNCLINE_RETURN_IF_ERROR(restored);
  Begin();
  if (times_) times_.emplace(eviction_.max_age_seconds);
  RestoreState(content.state);
  return absl::OkStatus();
}

void RowChunk::Update(absl::Span<const Contribution> gradients, const UpdateSettings& settings) {
  std::deque<Keys> keys;
  std::deque<Fragments> decoded;
  std::vector<RowGradients> pushes;
  for (const Contribution& contribution : gradients) {
    keys.emplace_back(*contribution.keys);
    memory_->asked += keys.back().size();
    const Fragments* rows = contribution.gradient;
    if (contribution.codec > CODEC_NONE && !rows->empty()) {
      Buffer floats = Buffer::Allocate(keys.back().size() * slot_.format().dim() * sizeof(float));
      DecodeRows(contribution.codec, *rows, keys.back().size(), slot_.format().dim(), floats.floats());
      rows = &decoded.emplace_back(floats.Share());
    }
    pushes.push_back({keys.back().get(), rows, contribution.weight});
  }
  slot_.Update(pushes, settings);
  if (times_) times_->Note(slot_.version(), Now());
  std::vector<uint64_t> evicted;
  if (slot_.version() % kEvictionInterval == 0) {
    const absl::Status done = Evict(&evicted);
    if (!done.ok()) memory_->NoteFailedEviction(done);
  }
  Account();
  if (!journal_) return;
  for (const RowGradients& push : pushes) journal_->Add(version(), push.keys);
  journal_->Add(version(), evicted);
  TrimJournal();
}

absl::Status RowChunk::Evict(std::vector<uint64_t>* evicted) {
  const uint64_t expired = times_ ? times_->Expired(Now()) : 0;
  if (expired > expired_to_) {
    SYNCLINE_ASSIGN_OR_RETURN(*evicted, RowsUntouchedSince(slot_, expired));
    const auto erased = slot_.Erase(*evicted, true);
    if (!erased.ok()) evicted->clear();
    SYNCLINE_RETURN_IF_ERROR(erased.status());
    expired_ += *erased;
    expired_to_ = expired;
  }
  SYNCLINE_ASSIGN_OR_RETURN(const std::vector<uint64_t> others, RowsToEvict(slot_, eviction_, judged_));
  SYNCLINE_RETURN_IF_ERROR(slot_.Erase(others, true).status());
  evicted->insert(evicted->end(), others.begin(), others.end());
  judged_ = slot_.version();
  return absl::OkStatus();
}

void RowChunk::Begin() {
  if (journal_) journal_->BeginAt(version());
  expired_to_ = 0;
  judged_ = version() / kEvictionInterval * kEvictionInterval;
}

RowSlot::Counters RowChunk::counters() const {
  RowSlot::Counters counters = slot_.counters();
  counters.expired = expired_;
  return counters;
}

void RowChunk::TrimJournal() { journal_->Trim(std::max(kFewKeys, slot_.rows() / 4)); }

std::optional<ChunkChange> RowChunk::ChangedSince(uint64_t version) const {
  const auto keys = journal_ ? journal_->Since(version) : std::nullopt;
  if (!keys || keys->size() * row_bytes() > kMostChanged) return std::nullopt;
  // Reading them from disk is no quicker than sending all.
  ColdReads cold;
  slot_.FindCold(*keys, &cold);
  if (!cold.empty()) return std::nullopt;
  std::vector<uint32_t> numbers(keys->size());
  slot_.Find(*keys, numbers.data());
  const size_t absent = std::count(numbers.begin(), numbers.end(), RowIndex::kNoRow);
  Buffer rows = Buffer::Allocate((keys->size() - absent) * row_bytes());
  Buffer gone = Buffer::Allocate(absent * sizeof(uint64_t));
  char* next = rows.data();
  char* next_gone = gone.data();
  for (size_t i = 0; i < keys->size(); ++i) {
    if (numbers[i] == RowIndex::kNoRow) {
      std::memcpy(next_gone, &(*keys)[i], sizeof(uint64_t));
      next_gone += sizeof(uint64_t);
    } else {
      std::memcpy(next, slot_.At(numbers[i]), row_bytes());
      next += row_bytes();
    }
  }
  return ChunkChange{rows.Share(), gone.Share()};
}

absl::Status RowChunk::Merge(uint64_t version, const ChunkChange& change) {
  const absl::Status merged = slot_.Merge(version, change.rows, Keys(change.gone).get());
  Account();
  SYNCLINE_RETURN_IF_ERROR(merged);
  Begin();
  if (times_) times_->Note(version, Now());
  return absl::OkStatus();
}

}  // namespace syncline
