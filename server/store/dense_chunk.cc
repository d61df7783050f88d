#include "server/store/dense_chunk.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "common/codec/codec.h"
#include "common/optimizer/kernels.h"

namespace syncline {
namespace {

// Elements handled at a time: a block of every array of an update together stays in the first cache.
constexpr size_t kBlock = FloatDecoder::kMaxBlock;

// Sums contributions block by block, without a copy where there is one that lies well.
class BlockSum {
 public:
  explicit BlockSum(absl::Span<const Contribution> gradients) {
    for (const Contribution& c : gradients) {
      parts_.push_back({FloatDecoder(c.codec, *c.gradient), c.weight});
    }
    const auto& pieces = gradients[0].gradient->pieces();
    contiguous_ = gradients[0].codec <= CODEC_NONE && pieces.size() == 1 &&
                  reinterpret_cast<uintptr_t>(pieces[0].data) % alignof(float) == 0;
  }

  // How many elements to take at a time: all where the one gradient can be read as it lies.
  size_t block(const UpdateSettings& settings, size_t elements) const {
    const bool as_it_is =
        parts_.size() == 1 && parts_[0].weight == 1 && Untouched(settings) && contiguous_;
    return as_it_is ? elements : kBlock;
  }

  // The next `n` elements, as block() says; valid until the next call.
  const float* Next(size_t n) {
    const float* first = parts_[0].reader.Next(n, scratch_);
    if (parts_.size() == 1 && parts_[0].weight == 1) return first;
    ScaleInto(parts_[0].weight, first, sum_, n);
    for (size_t i = 1; i < parts_.size(); ++i) {
      AddScaled(parts_[i].weight, parts_[i].reader.Next(n, scratch_), sum_, n);
    }
    return sum_;
  }

  // The same, made ready for the rule.
  const float* Next(size_t n, const UpdateSettings& settings) {
    const float* gradient = Next(n);
    if (Untouched(settings)) return gradient;
    ScaleAndClip(settings.gradient_scale, settings.clip_value, gradient, sum_, n);
    return sum_;
  }

 private:
  static bool Untouched(const UpdateSettings& settings) {
    return settings.gradient_scale == 1 && settings.clip_value <= 0;
  }

  struct Part {
    FloatDecoder reader;
    float weight;
  };
  absl::InlinedVector<Part, 8> parts_;
  bool contiguous_ = false;
  alignas(64) float scratch_[kBlock];
  alignas(64) float sum_[kBlock];
};

template <typename Body>
void ForEachBlock(size_t elements, size_t block, const Body& body) {
  for (size_t begin = 0; begin < elements; begin += block) {
    body(begin, std::min(block, elements - begin));
  }
}

}  // namespace

DenseChunk::Write::Write(Buffer* buffer) : to(buffer), in(std::as_const(*buffer).floats()) {
  if (buffer->Unique()) {
    out = buffer->floats();
    next = *buffer;
  } else {
    next = Buffer::Allocate(buffer->size());
    out = next.floats();
  }
}

DenseChunk::DenseChunk(const UpdateRule* rule, size_t elements)
    : rule_(rule), elements_(elements), weights_(Buffer::Allocate(elements * sizeof(float))) {
  std::fill_n(weights_.floats(), elements, 0.0f);
  for (int slot = 0; slot < rule->state_slots(); ++slot) {
    state_[slot] = Buffer::Allocate(elements * sizeof(float));
    std::fill_n(state_[slot].floats(), elements, rule->initial_state(slot));
  }
}

DenseChunk::DenseChunk(const UpdateRule* rule, uint64_t version, const ChunkContent& content)
    : rule_(rule), elements_(content.weights.size() / sizeof(float)) {
  Take(version, content);
}

ChunkContent DenseChunk::content() const {
  ChunkContent content{weights(), {}};
  for (int slot = 0; slot < rule_->state_slots(); ++slot) content.state.push_back(state(slot));
  return content;
}

absl::Status DenseChunk::Restore(uint64_t version, const ChunkContent& content) {
  Take(version, content);
  return absl::OkStatus();
}

void DenseChunk::Take(uint64_t version, const ChunkContent& content) {
  version_ = version;
  weights_ = Buffer::CopyOf(content.weights);
  for (size_t slot = 0; slot < content.state.size(); ++slot) state_[slot] = Buffer::CopyOf(content.state[slot]);
}

absl::InlinedVector<DenseChunk::Write, kMaxStateSlots> DenseChunk::WriteState() {
  absl::InlinedVector<Write, kMaxStateSlots> slots;
  for (int slot = 0; slot < rule_->state_slots(); ++slot) slots.emplace_back(&state_[slot]);
  return slots;
}

UpdateStep DenseChunk::Step(const UpdateSettings& settings) const {
  return {version_ + 1, static_cast<float>(settings.learning_rate)};
}

void DenseChunk::Update(absl::Span<const Contribution> gradients, const UpdateSettings& settings) {
  if (rule_->layer_wise()) return Finish(Prepare(gradients, settings), settings);
  Write weights(&weights_);
  absl::InlinedVector<Write, kMaxStateSlots> state = WriteState();
  BlockSum sum(gradients);
  ForEachBlock(elements_, sum.block(settings, elements_), [&](size_t begin, size_t n) {
    UpdateArrays arrays;
    arrays.gradient = sum.Next(n, settings);
    arrays.weights_in = weights.in + begin;
    arrays.weights_out = weights.out + begin;
    for (size_t slot = 0; slot < state.size(); ++slot) {
      arrays.state_in[slot] = state[slot].in + begin;
      arrays.state_out[slot] = state[slot].out + begin;
    }
    arrays.n = n;
    rule_->Apply(Step(settings), arrays);
  });
  weights.Commit();
  for (Write& slot : state) slot.Commit();
  ++version_;
}

double DenseChunk::SquaredNorm(absl::Span<const Contribution> gradients) const {
  BlockSum sum(gradients);
  double norm = 0;
  ForEachBlock(elements_, kBlock, [&](size_t, size_t n) { norm += SumOfSquares(sum.Next(n), n); });
  return norm;
}

LayerSums DenseChunk::Prepare(absl::Span<const Contribution> gradients, const UpdateSettings& settings) {
  absl::InlinedVector<Write, kMaxStateSlots> state = WriteState();
  const float* weights = std::as_const(weights_).floats();
  BlockSum sum(gradients);
  LayerSums sums;
  ForEachBlock(elements_, kBlock, [&](size_t begin, size_t n) {
    UpdateArrays arrays;
    arrays.gradient = sum.Next(n, settings);
    arrays.weights_in = weights + begin;
    for (size_t slot = 0; slot < state.size(); ++slot) {
      arrays.state_in[slot] = state[slot].in + begin;
      arrays.state_out[slot] = state[slot].out + begin;
    }
    arrays.n = n;
    const LayerSums block = rule_->Prepare(Step(settings), arrays);
    sums.squared_weights += block.squared_weights;
    sums.squared_update += block.squared_update;
  });
  for (Write& slot : state) slot.Commit();
  return sums;
}

void DenseChunk::Finish(const LayerSums& tensor, const UpdateSettings& settings) {
  Write weights(&weights_);
  UpdateArrays arrays;
  arrays.weights_in = weights.in;
  arrays.weights_out = weights.out;
  // The second pass reads the state it finds in state_out and writes none.
  for (int slot = 0; slot < rule_->state_slots(); ++slot) {
    arrays.state_out[slot] = const_cast<float*>(std::as_const(state_[slot]).floats());
  }
  arrays.n = elements_;
  rule_->Finish(Step(settings), tensor, arrays);
  weights.Commit();
  ++version_;
}

}  // namespace syncline
