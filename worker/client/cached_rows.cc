#include "worker/client/cached_rows.h"

#include <algorithm>
#include <utility>

#include "common/optimizer/kernels.h"

namespace syncline {
namespace {

size_t WidthOf(const RowRule& rule, size_t dim) {
  size_t width = dim;
  for (int array = 0; array < rule.state_arrays(); ++array) width += rule.state_width(array, dim);
  return width;
}

}  // namespace

CachedRows::CachedRows(Options options)
    : options_(std::move(options)), width_(WidthOf(*options_.rule, options_.dim)), clipped_(options_.dim) {}

void CachedRows::Take(Clock clock, absl::Span<const uint64_t> keys, float* to, std::vector<uint32_t>* missing) {
  absl::MutexLock lock(&mu_);
  const size_t before = missing->size();
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto found = places_.find(keys[i]);
    if (found == places_.end() || entries_[found->second].until < clock) {
      missing->push_back(static_cast<uint32_t>(i));
      continue;
    }
    entries_[found->second].asked = true;
    std::copy_n(Row(found->second), options_.dim, to + i * options_.dim);
  }
  counts_.wanted += keys.size();
  counts_.found += keys.size() - (missing->size() - before);
}

CachedRows::Ticket CachedRows::BeginPull() const {
  absl::MutexLock lock(&mu_);
  return {pushes_, pushes_ == over_};
}

void CachedRows::Keep(const Ticket& ticket, absl::Span<const uint64_t> keys, const float* rows, Clock until) {
  absl::MutexLock lock(&mu_);
  if (!ticket.idle || ticket.pushes != pushes_) return;
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto found = places_.find(keys[i]);
    // What came by another pull meanwhile may be newer.
    if (found != places_.end() && entries_[found->second].until > until) continue;
    const uint32_t place = found != places_.end() ? found->second : MakeRoom();
    if (found == places_.end()) places_[keys[i]] = place;
    entries_[place] = {keys[i], until, found != places_.end()};
    std::copy_n(rows + i * width_, width_, Row(place));
  }
}

uint32_t CachedRows::MakeRoom() {
  if (entries_.size() < options_.rows) {
    entries_.emplace_back();
    floats_.resize(entries_.size() * width_);
    return static_cast<uint32_t>(entries_.size() - 1);
  }
  while (entries_[hand_].asked) {
    entries_[hand_].asked = false;
    hand_ = (hand_ + 1) % entries_.size();
  }
  const auto place = static_cast<uint32_t>(hand_);
  hand_ = (hand_ + 1) % entries_.size();
  places_.erase(entries_[place].key);
  return place;
}

void CachedRows::BeginPush(absl::Span<const uint64_t> keys, const float* gradients) {
  absl::MutexLock lock(&mu_);
  ++pushes_;
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto found = places_.find(keys[i]);
    if (found != places_.end()) Apply(found->second, gradients + i * options_.dim);
  }
}

void CachedRows::Apply(uint32_t place, const float* gradient) {
  const size_t dim = options_.dim;
  const uint32_t passed = 0;
  RowArrays row{1, dim, gradient, Row(place), {}, &passed};
  if (options_.clip_value > 0) {
    ScaleAndClip(1, options_.clip_value, gradient, clipped_.data(), dim);
    row.gradients = clipped_.data();
  }
  float* state = row.weights + dim;
  for (int array = 0; array < options_.rule->state_arrays(); ++array) {
    row.state[array] = state;
    state += options_.rule->state_width(array, dim);
  }
  options_.rule->Apply({1, options_.learning_rate}, row);
}

void CachedRows::EndPush(bool applied) {
  absl::MutexLock lock(&mu_);
  ++over_;
  if (applied) return;
  places_.clear();
  entries_.clear();
  floats_.clear();
  hand_ = 0;
}

CachedRows::Counts CachedRows::counts() const {
  absl::MutexLock lock(&mu_);
  return counts_;
}

}  // namespace syncline
