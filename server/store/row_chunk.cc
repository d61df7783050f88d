#include "server/store/row_chunk.h"

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "common/codec/codec.h"
#include "common/status/status_macros.h"
#include "common/tensor/buffer.h"
#include "common/tensor/keys.h"

namespace syncline {
namespace {

// Written to disk at a time, of a slot.
constexpr size_t kMostPages = 32;

}  // namespace

RowChunk::RowChunk(const RowFormat& format, const RowRule* rule, const InitialRows& initializer,
                   const AdmissionPolicy& admission, const EvictionPolicy& eviction,
                   std::shared_ptr<TableMemory> memory)
    : memory_(memory != nullptr ? std::move(memory) : std::make_shared<TableMemory>()),
      slot_(format, rule, initializer, admission, memory_->store),
      eviction_(eviction) {
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

void RowChunk::Read(absl::Span<const uint64_t> keys, float* to, ColdReads* cold) const {
  slot_.Read(keys, to, cold);
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

absl::Status RowChunk::Compact() {
  const absl::Status compacted = slot_.Compact();
  Account();
  return compacted;
}

ChunkContent RowChunk::content() const {
  ChunkContent content{slot_.Snapshot(), {}, slot_.erased()};
  if (Fragments counts = slot_.AdmissionState(); !counts.empty()) content.state.push_back(std::move(counts));
  return content;
}

absl::Status RowChunk::Restore(uint64_t version, const ChunkContent& content) {
  const absl::Status restored = slot_.Restore(version, content.weights);
  Account();
  SYNCLINE_RETURN_IF_ERROR(restored);
  if (!content.state.empty()) slot_.RestoreAdmission(content.state[0]).IgnoreError();
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
      const size_t elements = keys.back().size() * slot_.format().dim();
      Buffer floats = Buffer::Allocate(elements * sizeof(float));
      DecodeFloats(contribution.codec, *rows, elements, floats.floats());
      rows = &decoded.emplace_back(floats.Share());
    }
    pushes.push_back({keys.back().get(), rows, contribution.weight});
  }
  slot_.Update(pushes, settings);
  if (slot_.version() % kEvictionInterval == 0) {
    slot_.Erase(RowsToEvict(slot_, eviction_, slot_.version() - kEvictionInterval));
  }
  Account();
}

}  // namespace syncline
