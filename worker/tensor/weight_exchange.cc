#include "worker/tensor/weight_exchange.h"

#include <algorithm>

#include "common/status/status_macros.h"

namespace syncline {
namespace {

// Of what a process has, about so many floats go together: enough to be worth a round, and little memory.
constexpr int64_t kBatchFloats = int64_t{1} << 16;

}  // namespace

int64_t WeightExchange::Room(const ParameterSpec& spec, size_t parameter, int64_t chunk, const TensorGroup& group) {
  if (spec.slice.whole()) return spec.size();
  const TensorSegment segment = SegmentOf(spec.whole_size(), chunk, parameter, group.part(), group.parts());
  return std::max(spec.size(), segment.floats());
}

absl::StatusOr<std::unique_ptr<WeightExchange>> WeightExchange::Create(GroupExchange* group,
                                                                       std::vector<std::vector<ParameterSpec>> specs,
                                                                       int64_t chunk) {
  std::unique_ptr<WeightExchange> exchange(new WeightExchange(group, std::move(specs), chunk));
  const std::vector<ParameterSpec>& own = exchange->specs_[group->part()];
  // The same batches in every process.
  int64_t floats = 0, room = 0, most = 0;
  for (size_t p = 0; p < own.size(); ++p) {
    const int64_t size = own[p].whole_size() / group->parts();
    if (p == 0 || floats + size > kBatchFloats) {
      exchange->batches_.push_back({p, p});
      floats = room = 0;
    }
    floats += size;
    if (!own[p].slice.whole()) room += Room(own[p], p, chunk, *group);
    most = std::max(most, room);
    exchange->batches_.back().end = p + 1;
  }
  if (most > 0) {
    SYNCLINE_ASSIGN_OR_RETURN(exchange->packed_, group->ToSend(sizeof(float) * most));
  }
  return exchange;
}

template <typename Run>
void WeightExchange::ForEach(Way way, bool sends, size_t parameter, int other, float* memory, const Run& run) const {
  const int64_t size = spec(parameter).whole_size();
  // Weights are sent from the segment, gradients taken into it.
  if ((way == kSpread) == sends) {
    float* const tensor = TensorAt(parameter, memory);
    ForEachRun(specs_[other][parameter].slice, size, segment(parameter),
               [&](int64_t whole, int64_t, int64_t floats) { run(tensor + whole, floats); });
  } else {
    ForEachRun(spec(parameter).slice, size, segment(parameter, other),
               [&](int64_t, int64_t here, int64_t floats) { run(memory + here, floats); });
  }
}

absl::Status WeightExchange::MoveAll(Way way, absl::Span<float* const> memory) {
  for (const Batch& batch : batches_) SYNCLINE_RETURN_IF_ERROR(Move(way, batch, memory));
  return absl::OkStatus();
}

absl::Status WeightExchange::Move(Way way, const Batch& batch, absl::Span<float* const> memory) {
  const int parts = group_->parts(), me = group_->part();
  group_->BeginRound();
  const std::vector<Fragments> packed = Pack(way, batch, memory);
  for (int other = 0; other < parts; ++other) {
    if (other != me) group_->Send(other, packed[other]);
  }
  FloatReader own(packed[me]);
  Unpack(way, batch, me, &own, memory);
  for (int other = 0; other < parts; ++other) {
    if (other == me) continue;
    SYNCLINE_RETURN_IF_ERROR(group_->Receive(other, BytesFrom(way, batch, other, memory), [&](FloatReader* reader) {
      Unpack(way, batch, other, reader, memory);
    }));
  }
  group_->AwaitSent();
  return absl::OkStatus();
}

// What is split is packed, also what stays here, as its place is taken by what comes. Of a parameter that everybody
// has the weights are sent from where they lie, and the gradients are there already.
std::vector<Fragments> WeightExchange::Pack(Way way, const Batch& batch, absl::Span<float* const> memory) {
  std::vector<Fragments> packed(group_->parts());
  float* to = packed_.floats();
  for (int other = 0; other < group_->parts(); ++other) {
    for (size_t p = batch.begin; p < batch.end; ++p) {
      if (spec(p).slice.whole()) {
        const TensorSegment own = segment(p);
        const bool sent = way == kSpread && other != group_->part();
        if (sent) packed[other].Append(memory[p] + own.begin, sizeof(float) * own.floats());
        continue;
      }
      const float* const first = to;
      ForEach(way, /*sends=*/true, p, other, memory[p],
              [&](const float* from, int64_t floats) { to = std::copy_n(from, floats, to); });
      packed[other].Append(first, sizeof(float) * (to - first));
    }
  }
  return packed;
}

size_t WeightExchange::BytesFrom(Way way, const Batch& batch, int other, absl::Span<float* const> memory) const {
  int64_t all = 0;
  for (size_t p = batch.begin; p < batch.end; ++p) {
    if (spec(p).slice.whole()) {
      all += way == kSpread ? segment(p, other).floats() : 0;
    } else {
      ForEach(way, /*sends=*/false, p, other, memory[p], [&](const float*, int64_t floats) { all += floats; });
    }
  }
  return sizeof(float) * all;
}

void WeightExchange::Unpack(Way way, const Batch& batch, int other, FloatReader* reader,
                            absl::Span<float* const> memory) const {
  const auto take = [reader](float* to, int64_t floats) {
    reader->Copy(sizeof(float) * floats, reinterpret_cast<char*>(to));
  };
  for (size_t p = batch.begin; p < batch.end; ++p) {
    if (!spec(p).slice.whole()) {
      ForEach(way, /*sends=*/false, p, other, memory[p], take);
    } else if (way == kSpread && other != group_->part()) {
      const TensorSegment theirs = segment(p, other);
      take(memory[p] + theirs.begin, theirs.floats());
    }
  }
}

}  // namespace syncline
