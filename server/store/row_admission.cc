#include "server/store/row_admission.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/hash/mix.h"

namespace syncline {
namespace {

constexpr size_t kLine = 64;
constexpr int kRows = 4;
// Makes hashes of their own from keys: those of the index and the slots say too little in a slot.
constexpr uint64_t kCountSalt = 0x6a09e667f3bcc908u;
constexpr uint64_t kChanceSalt = 0xbb67ae8584caa73bu;

size_t CounterBytes(const AdmissionPolicy& policy) {
  if (policy.min_count <= 1) return 0;
  size_t bytes = kLine;
  while (bytes < policy.counters) bytes *= 2;
  return bytes;
}

uint8_t* Byte(std::string* counters, size_t at) {
  return reinterpret_cast<uint8_t*>(&(*counters)[at]);
}

}  // namespace

KeyAdmission::KeyAdmission(const AdmissionPolicy& policy)
    : min_count_(policy.min_count),
      probability_(policy.probability),
      counters_(CounterBytes(policy), '\0') {}

bool KeyAdmission::Admit(uint64_t key) {
  const bool chosen = probability_ >= 1 || UnitInterval(Mix(key ^ kChanceSalt)) < probability_;
  if (chosen && (counters_.empty() || Count(key))) return true;
  ++refused_;
  return false;
}

bool KeyAdmission::Count(uint64_t key) {
  const uint64_t hash = Mix(key ^ kCountSalt);
  const size_t line = (hash >> 32) % (counters_.size() / kLine) * kLine;
  uint8_t* cells[kRows];
  uint8_t least = 255;
  for (int row = 0; row < kRows; ++row) {  // each row has its own quarter of the line
    cells[row] = Byte(&counters_, line + static_cast<size_t>(row) * (kLine / kRows) +
                                      (hash >> (4 * row) & (kLine / kRows - 1)));
    least = std::min(least, *cells[row]);
  }
  if (least + 1u >= min_count_) return true;
  for (uint8_t* cell : cells) *cell = std::max<uint8_t>(*cell, least + 1);
  if (++since_aged_ >= counters_.size() / 8) Age();
  return false;
}

void KeyAdmission::Age() {
  since_aged_ = 0;
  for (size_t i = 0; i < counters_.size(); ++i) *Byte(&counters_, i) /= 2;
}

std::string KeyAdmission::State() const {
  if (counters_.empty()) return "";
  std::string state(sizeof(since_aged_), '\0');
  std::memcpy(&state[0], &since_aged_, sizeof(since_aged_));
  return state + counters_;
}

absl::Status KeyAdmission::Restore(absl::string_view state) {
  const size_t expected = counters_.empty() ? 0 : sizeof(since_aged_) + counters_.size();
  if (state.size() != expected) {
    return absl::InvalidArgumentError(
        absl::StrCat("admission: ", state.size(),
                     " bytes of counts where this table's min_count and counters have ", expected,
                     "; they must be what the snapshot was taken with"));
  }
  if (expected == 0) return absl::OkStatus();
  std::memcpy(&since_aged_, state.data(), sizeof(since_aged_));
  state.remove_prefix(sizeof(since_aged_));
  counters_.assign(state.data(), state.size());
  return absl::OkStatus();
}

}  // namespace syncline
