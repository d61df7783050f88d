#include "server/store/row_slot.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/optimizer/kernels.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

// Rows handled at a time: enough to have their memory accesses under way together, few enough for
// the first two caches.
constexpr size_t kMostRows = 64;
// Erased rows that are remembered beside a quarter as many as there are: where more went all may as well be sent.
constexpr size_t kRememberedErasures = 1024;

size_t BatchRows(size_t dim) { return std::min(kMostRows, std::max<size_t>(8, 2048 / dim)); }

template <typename Body>
void ForEachBatch(absl::Span<const uint64_t> keys, size_t batch, const Body& body) {
  for (size_t begin = 0; begin < keys.size(); begin += batch) {
    body(begin, keys.subspan(begin, batch));
  }
}

}  // namespace

// The decoded rows of a batch, in arrays as rules want them.
struct RowSlot::Scratch {
  explicit Scratch(const RowFormat& format) : batch(BatchRows(format.dim())), dim(format.dim()) {
    size_t floats = 2 * dim;
    for (int array = 0; array < format.state_arrays(); ++array) floats += format.state_width(array);
    memory.reset(new float[floats * batch]);
    gradient_block = memory.get();
    weights = gradient_block + batch * dim;
    float* next = weights + batch * dim;
    for (int array = 0; array < format.state_arrays(); ++array) {
      state[array] = next;
      next += batch * format.state_width(array);
    }
  }

  RowArrays Rows(size_t rows) {
    RowArrays arrays{rows, dim, gradients, weights, {}, passed};
    std::copy_n(state, kMaxRowState, arrays.state);
    return arrays;
  }

  // Rows that were refused leave gaps in the gradients, which those behind them fill.
  void MoveGradient(size_t from, size_t to) {
    if (from == to) return;
    if (gradients != gradient_block) std::copy_n(gradients, batch_rows * dim, gradient_block);
    gradients = gradient_block;
    std::copy_n(gradients + from * dim, dim, gradient_block + to * dim);
  }

  const size_t batch;
  const size_t dim;
  size_t batch_rows = 0;  // with gradients
  std::unique_ptr<float[]> memory;
  float* gradient_block;             // room for a batch's gradients
  const float* gradients = nullptr;  // where they are
  float* weights;
  float* state[kMaxRowState] = {};
  uint32_t passed[kMostRows];
};

RowSlot::RowSlot(const RowFormat& format, const RowRule* rule, const InitialRows& initializer,
                 const AdmissionPolicy& admission, std::shared_ptr<ColdPages> store)
    : format_(format),
      rule_(rule),
      initializer_(initializer),
      admission_(admission),
      pages_(format.stride(), std::move(store)) {}

void RowSlot::Find(absl::Span<const uint64_t> keys, uint32_t* numbers) const {
  index_.ForEach(pages_, keys, sizeof(uint64_t),
                 [numbers](size_t i, uint32_t number) { numbers[i] = number; });
}

void RowSlot::Read(absl::Span<const uint64_t> keys, const RowTarget& out, ColdReads* cold) const {
  if (rule_->catches_up()) {
    FindCold(keys, cold);
    return ReadAndCatchUp(keys, out);
  }
  const bool some_cold = cold != nullptr && pages_.cold() > 0;
  index_.ForEach(pages_, keys, format_.weights_end(), [&](size_t i, uint32_t number) {
    if (some_cold && number == RowIndex::kNoRow && FindCold(keys[i], cold)) return;
    ReadRow(keys[i], number, out.At(i, format_.dim()));
  });
}

void RowSlot::ReadWithState(absl::Span<const uint64_t> keys, const RowTarget& out, ColdReads* cold) const {
  const bool some_cold = cold != nullptr && pages_.cold() > 0;
  index_.ForEach(pages_, keys, format_.stride(), [&](size_t i, uint32_t number) {
    if (some_cold && number == RowIndex::kNoRow && FindCold(keys[i], cold)) return;
    float* const row = out.At(i, format_.width());
    ReadRow(keys[i], number, row);
    float* state = row + format_.dim();
    for (int array = 0; array < format_.state_arrays(); ++array) {
      const size_t width = format_.state_width(array);
      if (number == RowIndex::kNoRow) {
        std::fill_n(state, width, rule_->initial_state(array));
      } else {
        format_.ReadState(pages_.At(number), array, state);
      }
      state += width;
    }
  });
}

void RowSlot::ReadRow(uint64_t key, uint32_t number, float* out) const {
  if (number == RowIndex::kNoRow) {
    initializer_.Fill(key, format_.dim(), out);
  } else {
    format_.ReadWeights(pages_.At(number), out);
  }
}

void RowSlot::ReadAndCatchUp(absl::Span<const uint64_t> keys, const RowTarget& out) const {
  Scratch scratch(format_);
  ForEachBatch(keys, scratch.batch, [&](size_t begin, absl::Span<const uint64_t> batch) {
    float* const weights = scratch.weights;
    index_.ForEach(pages_, batch, format_.stride(), [&](size_t i, uint32_t number) {
      ReadRow(batch[i], number, weights + i * format_.dim());
      scratch.passed[i] = 0;
      if (number == RowIndex::kNoRow) return;
      const char* const row = pages_.At(number);
      scratch.passed[i] = static_cast<uint32_t>(version_) - RowFormat::Changed(row);
      for (int array = 0; array < format_.state_arrays(); ++array) {
        format_.ReadState(row, array, scratch.state[array] + i * format_.state_width(array));
      }
    });
    rule_->CatchUp(version_, scratch.Rows(batch.size()));
    for (size_t i = 0; i < batch.size(); ++i) {
      std::copy_n(weights + i * format_.dim(), format_.dim(), out.At(begin + i, format_.dim()));
    }
  });
}

void RowSlot::Update(absl::Span<const RowGradients> pushes, const UpdateSettings& settings) {
  pages_.set_time(static_cast<uint32_t>(version_ + 1));
  if (pushes.size() == 1) {
    Apply(pushes[0], settings);
  } else if (pushes.size() > 1) {
    const RowSums sums(pushes, format_.dim());
    const Fragments gradients = sums.sums();
    Apply({sums.keys(), &gradients, 1}, settings);
  }
  ++version_;
}

void RowSlot::Apply(const RowGradients& push, const UpdateSettings& settings) {
  Scratch scratch(format_);
  FloatReader reader(*push.gradients);
  ForEachBatch(push.keys, scratch.batch, [&](size_t, absl::Span<const uint64_t> keys) {
    const size_t n = keys.size() * format_.dim();
    float* const block = scratch.gradient_block;
    scratch.batch_rows = keys.size();
    scratch.gradients = reader.Next(n, block);
    if (push.weight != 1) {
      ScaleInto(push.weight, scratch.gradients, block, n);
      scratch.gradients = block;
    }
    if (settings.gradient_scale != 1 || settings.clip_value > 0) {
      ScaleAndClip(settings.gradient_scale, settings.clip_value, scratch.gradients, block, n);
      scratch.gradients = block;
    }
    ApplyBatch(keys, settings, &scratch);
  });
}

void RowSlot::ApplyBatch(absl::Span<const uint64_t> keys, const UpdateSettings& settings,
                         Scratch* scratch) {
  uint32_t numbers[kMostRows];
  index_.ForEach(pages_, keys, format_.stride(),
                 [&numbers](size_t i, uint32_t number) { numbers[i] = number; });
  char* rows[kMostRows];
  size_t kept = 0;
  for (size_t i = 0; i < keys.size(); ++i) {
    const bool is_new = numbers[i] == RowIndex::kNoRow;
    if (is_new && !admission_.Admit(keys[i])) continue;
    admitted_ += is_new;
    rows[kept] = is_new ? Insert(keys[i]) : pages_.Mutable(numbers[i]);
    LoadRow(rows[kept], kept, scratch);
    scratch->MoveGradient(i, kept);
    ++kept;
  }
  const RowArrays arrays = scratch->Rows(kept);
  if (rule_->catches_up()) rule_->CatchUp(version_, arrays);
  rule_->Apply({version_ + 1, static_cast<float>(settings.learning_rate)}, arrays);
  for (size_t i = 0; i < kept; ++i) StoreRow(*scratch, i, rows[i]);
}

// A row that was never updated: its weights and state are not read.
char* RowSlot::Insert(uint64_t key) {
  uint32_t number;
  char* const row = pages_.Append(&number);
  RowFormat::SetKey(key, row);
  RowFormat::SetUpdates(0, row);
  index_.Insert(pages_, key, number);
  return row;
}

void RowSlot::LoadRow(const char* row, size_t place, Scratch* scratch) const {
  float* const weights = scratch->weights + place * format_.dim();
  const bool is_new = RowFormat::Updates(row) == 0;
  if (is_new) {
    initializer_.Fill(RowFormat::Key(row), format_.dim(), weights);
  } else {
    format_.ReadWeights(row, weights);
  }
  scratch->passed[place] = is_new ? 0 : static_cast<uint32_t>(version_) - RowFormat::Changed(row);
  for (int array = 0; array < format_.state_arrays(); ++array) {
    const size_t width = format_.state_width(array);
    float* const state = scratch->state[array] + place * width;
    if (is_new) {
      std::fill_n(state, width, rule_->initial_state(array));
    } else {
      format_.ReadState(row, array, state);
    }
  }
}

void RowSlot::StoreRow(const Scratch& scratch, size_t place, char* row) const {
  const uint32_t updates = RowFormat::Updates(row);
  if (updates != std::numeric_limits<uint32_t>::max()) RowFormat::SetUpdates(updates + 1, row);
  RowFormat::SetChanged(static_cast<uint32_t>(version_ + 1), row);
  format_.WriteWeights(scratch.weights + place * format_.dim(), row);
  for (int array = 0; array < format_.state_arrays(); ++array) {
    format_.WriteState(scratch.state[array] + place * format_.state_width(array), array, row);
  }
}

absl::StatusOr<size_t> RowSlot::Erase(absl::Span<const uint64_t> keys, bool all_there) {
  SYNCLINE_ASSIGN_OR_RETURN(const std::vector<uint32_t> cold, ColdNumbers(keys, all_there));
  return EraseFound(keys, cold);
}

size_t RowSlot::EraseFound(absl::Span<const uint64_t> keys, absl::Span<const uint32_t> cold) {
  std::vector<uint64_t> gone;
  for (size_t i = 0; i < keys.size(); ++i) {
    // In memory rows change places as others go; those that are cold stay where they are.
    uint32_t number = index_.Find(pages_, keys[i]);
    if (number == RowIndex::kNoRow && cold[i] != RowIndex::kNoRow && pages_.Exists(cold[i])) number = cold[i];
    if (number == RowIndex::kNoRow) continue;
    gone.push_back(keys[i]);
    index_.Erase(keys[i], number);
    if (!pages_.StaysInMemory(number)) {
      pages_.Remove(number);
      continue;
    }
    const uint32_t last = pages_.Last();
    if (number != last) {
      char* const hole = pages_.Mutable(number);
      std::memcpy(hole, pages_.At(last), format_.stride());
      index_.Renumber(RowFormat::Key(hole), last, number);
    }
    pages_.RemoveLast();
  }
  erased_ += gone.size();
  if (!gone.empty()) erased_rows_ = erased_rows_->With(version_, gone, kRememberedErasures + rows() / 4);
  return gone.size();
}

absl::Status RowSlot::CheckRows(const Fragments& rows) const {
  const size_t stride = format_.stride();
  if (rows.size() % stride != 0) {
    return absl::InvalidArgumentError(absl::StrCat("rows: ", rows.size(),
                                                   " bytes are no multiple of the ", stride,
                                                   " of a row; dim, storage and optimizer of the "
                                                   "table must be those the rows were saved with"));
  }
  FloatReader reader(rows);
  std::vector<char> row(stride);
  for (size_t i = 0; i < rows.size() / stride; ++i) {
    reader.Copy(stride, row.data());
    if (RowFormat::Updates(row.data()) > 0) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "rows: the one of key ", RowFormat::Key(row.data()),
        " says it had no update; it must have had one at least: the rows are damaged"));
  }
  return absl::OkStatus();
}

absl::Status RowSlot::Restore(uint64_t version, const Fragments& rows) {
  RowSlot restored(format_, rule_, initializer_, {}, pages_.store());
  SYNCLINE_RETURN_IF_ERROR(restored.Merge(version, rows));
  if (restored.rows() * format_.stride() != rows.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("rows: a key comes twice, as of ", rows.size() / format_.stride(), " rows ",
                     restored.rows(),
                     " have a key of their own; the snapshot is damaged, restore from another"));
  }
  version_ = version;
  pages_ = std::move(restored.pages_);
  index_ = std::move(restored.index_);
  erased_rows_ = std::make_shared<const ErasedRows>(version);
  return absl::OkStatus();
}

absl::Status RowSlot::Merge(uint64_t version, const Fragments& rows, absl::Span<const uint64_t> gone) {
  SYNCLINE_RETURN_IF_ERROR(CheckRows(rows));
  const size_t stride = format_.stride();
  pages_.set_time(static_cast<uint32_t>(version));
  if (pages_.cold() > 0) {
    std::vector<char> row(stride);
    std::vector<uint64_t> keys;
    FloatReader reader(rows);
    for (size_t left = rows.size() / stride; left > 0; --left) {
      reader.Copy(stride, row.data());
      keys.push_back(RowFormat::Key(row.data()));
    }
    SYNCLINE_RETURN_IF_ERROR(Fetch(keys, {}).status());
  }
  SYNCLINE_ASSIGN_OR_RETURN(const std::vector<uint32_t> cold, ColdNumbers(gone, false));
  Put(rows);
  version_ = version;
  // The other slot may have erased rows by the updates that came with these.
  erased_rows_ = std::make_shared<const ErasedRows>(version);
  EraseFound(gone, cold);
  return absl::OkStatus();
}

// None of these rows may be cold.
void RowSlot::Put(const Fragments& rows) {
  const size_t stride = format_.stride();
  std::vector<char> row(stride);
  FloatReader reader(rows);
  for (size_t left = rows.size() / stride; left > 0; --left) {
    reader.Copy(stride, row.data());
    const uint64_t key = RowFormat::Key(row.data());
    const uint32_t number = index_.Find(pages_, key);
    char* const to = number == RowIndex::kNoRow ? Insert(key) : pages_.Mutable(number);
    std::memcpy(to, row.data(), stride);
  }
}

}  // namespace syncline
