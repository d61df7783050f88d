#include "server/store/row_admission.h"

#include <algorithm>
#include <cstring>
#include <utility>

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

}  // namespace

KeyAdmission::KeyAdmission(const AdmissionPolicy& policy)
    : min_count_(policy.min_count), probability_(policy.probability) {
  const size_t bytes = CounterBytes(policy);
  if (bytes == 0) return;
  state_ = Buffer::Allocate(bytes + sizeof(counted_));
  std::memset(state_.data(), 0, state_.size());
}

bool KeyAdmission::Admit(uint64_t key) {
  const bool chosen = probability_ >= 1 || UnitInterval(Mix(key ^ kChanceSalt)) < probability_;
  if (chosen && (state_.size() == 0 || Count(key))) return true;
  ++refused_;
  return false;
}

uint8_t* KeyAdmission::Counters() {
  if (!state_.Unique()) state_ = Buffer::CopyOf(state_.Share());
  return reinterpret_cast<uint8_t*>(state_.data());
}

bool KeyAdmission::Count(uint64_t key) {
  const uint64_t hash = Mix(key ^ kCountSalt);
  const size_t line = (hash >> 32) % (counters() / kLine) * kLine;
  const auto* read = reinterpret_cast<const uint8_t*>(std::as_const(state_).data());
  size_t cells[kRows];
  uint8_t least = 255;
  for (int row = 0; row < kRows; ++row) {  // each row has its own quarter of the line
    cells[row] = line + static_cast<size_t>(row) * (kLine / kRows) + (hash >> (4 * row) & (kLine / kRows - 1));
    least = std::min(least, read[cells[row]]);
  }
  if (least + 1u >= min_count_) return true;
  uint8_t* const write = Counters();
  for (const size_t cell : cells) write[cell] = std::max<uint8_t>(write[cell], least + 1);
  ++counted_;
  if (counted_ % (counters() / 8) == 0) Age();
  std::memcpy(write + counters(), &counted_, sizeof(counted_));
  return false;
}

void KeyAdmission::Age() {
  uint8_t* const counts = Counters();
  for (size_t i = 0; i < counters(); ++i) counts[i] /= 2;
}

Fragments KeyAdmission::State() const { return state_.size() == 0 ? Fragments() : state_.Share(); }

absl::Status KeyAdmission::Restore(const Fragments& state) {
  if (state.size() != state_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("admission: ", state.size(),
                     " bytes of counts where this table's min_count and counters have ", state_.size(),
                     "; they must be what the snapshot was taken with"));
  }
  if (state.empty()) return absl::OkStatus();
  state_ = Buffer::CopyOf(state);
  std::memcpy(&counted_, state_.data() + counters(), sizeof(counted_));
  return absl::OkStatus();
}

}  // namespace syncline
