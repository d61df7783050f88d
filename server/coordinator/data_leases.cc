#include "server/coordinator/data_leases.h"

#include <algorithm>

namespace syncline {

DataLeases::DataLeases(const Options& options) : options_(options) { begun_with_ = Left(); }

void DataLeases::Restore(const CheckpointManifest& manifest) {
  next_epoch_ = manifest.next_epoch();
  planned_ = options_.mode == SYNC ? manifest.step() : 0;
  free_.clear();
  for (const PositionRange& range : manifest.remaining()) {
    free_.push_back({range.epoch(), range.begin(), range.end()});
  }
  begun_with_ = Left();
}

Clock DataLeases::FirstStep(Rank rank) const {
  const auto member = members_.find(rank);
  if (member == members_.end() || member->second.idle()) return planned_;
  return member->second.open()->first;
}

std::optional<Rank> DataLeases::Orphan() const {
  for (const auto& [rank, member] : members_) {
    if (member.awaited && !(member.idle() && Exhausted())) return rank;
  }
  return std::nullopt;
}

void DataLeases::Join(Rank rank, Clock clock, uint32_t processes) {
  Member& member = members_[rank];
  member.live = true;
  member.awaited = false;
  member.processes = processes;
  member.committed = clock;
}

LeaseReply DataLeases::Lease(Rank rank, Clock from_clock) {
  LeaseReply reply;
  Member& member = members_.at(rank);
  from_clock = std::max(from_clock, member.committed);
  Clock until = from_clock + options_.horizon;
  if (options_.max_steps > 0) until = std::min(until, options_.max_steps);
  PlanFor(member, until);
  for (auto held = member.held.lower_bound(from_clock); held != member.held.end(); ++held) {
    if (held->first >= until) break;
    StepLease* step = reply.add_steps();
    step->set_clock(held->first);
    step->set_epoch(held->second.epoch);
    step->set_begin(held->second.begin);
    step->set_count(static_cast<uint32_t>(held->second.end - held->second.begin));
    if (options_.mode != SYNC) continue;
    const std::vector<Rank>& ranks = contributors_.at(held->first);
    step->mutable_contributors()->Assign(ranks.begin(), ranks.end());
  }
  reply.set_finished(reply.steps().empty() && Finished());
  return reply;
}

void DataLeases::Committed(Rank rank, Clock clock) {
  Member& member = members_.at(rank);
  member.committed = std::max(member.committed, clock);
  const Clock done = pin_ ? std::min(*pin_, member.committed) : member.committed;
  member.held.erase(member.held.begin(), member.held.lower_bound(done));
}

void DataLeases::Unpin() {
  pin_.reset();
  for (auto& [rank, member] : members_) {
    member.held.erase(member.held.begin(), member.held.lower_bound(member.committed));
  }
}

void DataLeases::Lost(Rank rank, Clock clock, bool left) {
  const auto known = members_.find(rank);
  if (known == members_.end() || !known->second.live) return;
  Committed(rank, clock);
  Member& member = known->second;
  member.live = false;
  member.awaited = options_.mode == SYNC && options_.on_loss == REDO && !left;
  if (member.awaited) return;
  const auto open = member.held.lower_bound(member.committed);
  for (auto held = open; held != member.held.end(); ++held) GiveBack(held->second);
  member.held.erase(open, member.held.end());
  if (options_.mode == SYNC) DropUnattendedSteps();
}

bool DataLeases::Finished() const {
  const bool idle = std::all_of(members_.begin(), members_.end(),
                                [](const auto& member) { return member.second.idle(); });
  if (!idle || Exhausted() || options_.mode == SYNC || options_.max_steps == 0) {
    return idle && Exhausted();
  }
  // Each worker has steps of its own to count.
  return std::all_of(members_.begin(), members_.end(), [this](const auto& member) {
    return !member.second.live || member.second.committed >= options_.max_steps;
  });
}

void DataLeases::Save(Clock step, CheckpointManifest* manifest) const {
  std::vector<Range> open(free_.begin(), free_.end());
  for (const auto& [rank, member] : members_) {
    for (const auto& [clock, range] : member.held) {
      if (options_.mode != SYNC || clock >= step) open.push_back(range);
    }
  }
  std::sort(open.begin(), open.end(), [](const Range& a, const Range& b) {
    return a.epoch != b.epoch ? a.epoch < b.epoch : a.begin < b.begin;
  });
  manifest->set_next_epoch(next_epoch_);
  manifest->clear_remaining();
  for (const Range& range : open) {
    if (range.begin == range.end) continue;
    const int last = manifest->remaining_size() - 1;
    if (last >= 0 && manifest->remaining(last).epoch() == range.epoch &&
        manifest->remaining(last).end() == range.begin) {
      manifest->mutable_remaining(last)->set_end(range.end);
      continue;
    }
    PositionRange* to = manifest->add_remaining();
    to->set_epoch(range.epoch);
    to->set_begin(range.begin);
    to->set_end(range.end);
  }
}

uint64_t DataLeases::Left() const {
  const uint64_t epochs = options_.epochs - std::min<uint64_t>(next_epoch_, options_.epochs);
  uint64_t left = epochs * options_.samples;
  for (const Range& range : free_) left += range.end - range.begin;
  for (const auto& [rank, member] : members_) {
    for (auto held = member.open(); held != member.held.end(); ++held) {
      left += held->second.end - held->second.begin;
    }
  }
  return left;
}

double DataLeases::Epoch() const {
  const double left = static_cast<double>(Left()) / static_cast<double>(options_.samples);
  return std::max<double>(options_.epochs, static_cast<double>(next_epoch_)) - left;
}

bool DataLeases::Exhausted() const {
  if (options_.mode == SYNC && options_.max_steps > 0 && planned_ >= options_.max_steps) {
    return true;
  }
  return free_.empty() && next_epoch_ >= options_.epochs;
}

// At most `count` positions of one epoch; fewer where the epoch or a gap ends. Not when exhausted.
DataLeases::Range DataLeases::Take(uint64_t count) {
  if (free_.empty()) free_.push_back({next_epoch_++, 0, options_.samples});
  Range& front = free_.front();
  const Range taken = {front.epoch, front.begin, std::min(front.end, front.begin + count)};
  front.begin = taken.end;
  if (front.begin == front.end) free_.pop_front();
  return taken;
}

void DataLeases::GiveBack(Range range) {
  if (range.begin == range.end) return;
  const auto after = std::find_if(free_.begin(), free_.end(), [&](const Range& other) {
    return other.epoch != range.epoch ? other.epoch > range.epoch : other.begin > range.begin;
  });
  free_.insert(after, range);
}

uint64_t DataLeases::LiveProcesses() const {
  uint64_t processes = 0;
  for (const auto& [rank, member] : members_) processes += member.planned() ? member.processes : 0;
  return processes;
}

// Cuts the next positions among the live workers, evenly by processes.
void DataLeases::PlanStep() {
  std::vector<Rank> live;
  for (const auto& [rank, member] : members_) {
    if (member.planned()) live.push_back(rank);
  }
  const uint64_t processes = LiveProcesses();
  const Range step = Take(options_.batch_size * processes);
  const uint64_t total = step.end - step.begin;
  uint64_t before = 0;
  for (const Rank rank : live) {
    Member& member = members_.at(rank);
    const uint64_t after = before + member.processes;
    member.held[planned_] = {step.epoch, step.begin + total * before / processes,
                             step.begin + total * after / processes};
    before = after;
  }
  contributors_[planned_++] = std::move(live);
}

void DataLeases::PlanFor(Member& member, Clock until) {
  if (options_.mode == SYNC) {
    while (!hold_ && planned_ < until && !Exhausted()) PlanStep();
    // Nobody asks for steps below every member's first uncommitted one again.
    Clock oldest = planned_;
    for (const auto& [other, state] : members_) {
      if (!state.held.empty()) oldest = std::min(oldest, state.held.begin()->first);
    }
    contributors_.erase(contributors_.begin(), contributors_.lower_bound(oldest));
    return;
  }
  Clock next = member.idle() ? member.committed : member.held.rbegin()->first + 1;
  // What is left is given out in ever smaller parts, so that all finish at about the same time.
  const Clock fair = next + FairShare();
  for (; next < std::min(until, fair) && !Exhausted(); ++next) {
    member.held[next] = Take(options_.batch_size * member.processes);
  }
  if (options_.mode != BOUNDED || !Exhausted()) return;
  // The others may not run ahead of a worker without work: it keeps up with steps of no samples.
  Clock last = next;
  for (const auto& [rank, other] : members_) {
    if (other.live && !other.idle()) last = std::max(last, other.held.rbegin()->first + 1);
  }
  for (; next < std::min(until, last); ++next) member.held[next] = Range();
}

// Half of an even share of the batches left, at least 1.
uint64_t DataLeases::FairShare() const {
  uint64_t left = 0;
  for (const Range& range : free_) left += range.end - range.begin;
  if (next_epoch_ < options_.epochs) left += (options_.epochs - next_epoch_) * options_.samples;
  const uint64_t batches = left / options_.batch_size;
  return std::max<uint64_t>(batches / (2 * std::max<uint64_t>(LiveProcesses(), 1)), 1);
}

// With all its contributors lost, a step has nobody to make it: it and those after it, which have
// the same fate, are planned anew for whoever joins.
void DataLeases::DropUnattendedSteps() {
  for (const auto& [rank, member] : members_) {
    if (member.live) return;
  }
  Clock reached = 0;
  for (const auto& [rank, member] : members_) reached = std::max(reached, member.committed);
  planned_ = std::min(planned_, reached);
  contributors_.erase(contributors_.lower_bound(planned_), contributors_.end());
}

}  // namespace syncline
