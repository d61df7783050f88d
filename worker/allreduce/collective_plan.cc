#include "worker/allreduce/collective_plan.h"

#include <algorithm>
#include <utility>

namespace syncline {
namespace {

using Messages = std::vector<std::vector<FloatRun>>;
using Kind = CollectiveAction::Kind;

// A message is at least so long, if there is as much.
constexpr size_t kMessageFloats = size_t{1} << 18;
// Below, fewer messages are worth more than fewer bytes.
constexpr size_t kShortFloats = size_t{1} << 16;
constexpr uint32_t kPartsARound = 1u << 16;

bool Halves(const FloatSegments& segments) {
  const size_t n = segments.size();
  size_t floats = 0;
  for (const auto& segment : segments) {
    for (const FloatRun& run : segment) floats += run.floats;
  }
  return (n & (n - 1)) == 0 && floats < kShortFloats;
}

// Segments [begin, end) as messages. `sums`: whether sums go to where the runs say.
Messages Cut(const FloatSegments& segments, size_t begin, size_t end, bool sums = false) {
  Messages messages;
  size_t room = 0;
  for (size_t s = begin; s < end; ++s) {
    for (FloatRun run : segments[s]) {
      if (!sums) run.sum = nullptr;
      while (run.floats > 0) {
        if (room == 0) {
          messages.emplace_back();
          room = kMessageFloats;
        }
        const size_t floats = std::min(run.floats, room);
        messages.back().push_back({run.data, floats, run.sum});
        run = {run.data + floats, run.floats - floats, run.sum == nullptr ? nullptr : run.sum + floats};
        room -= floats;
      }
    }
  }
  return messages;
}

void Append(Kind kind, size_t peer, size_t round, Messages messages, CollectivePlan* plan) {
  uint32_t part = static_cast<uint32_t>(round) * kPartsARound;
  for (auto& message : messages) plan->push_back({kind, peer, part++, std::move(message)});
}

// In each round a process passes on the segment that it got in the round before; `segment` is the one it begins with.
CollectivePlan Ring(Kind arrival, const FloatSegments& segments, size_t me, size_t segment) {
  const size_t n = segments.size(), next = (me + 1) % n, before = (me + n - 1) % n;
  CollectivePlan plan;
  Append(CollectiveAction::kSend, next, 0, Cut(segments, segment, segment + 1), &plan);
  for (size_t round = 0; round + 1 < n; ++round) {
    segment = (segment + n - 1) % n;
    const bool last = round + 2 == n;
    const Messages passing = Cut(segments, segment, segment + 1, last);
    for (uint32_t i = 0; i < passing.size(); ++i) {
      const uint32_t part = static_cast<uint32_t>(round) * kPartsARound + i;
      plan.push_back({arrival, before, part, passing[i]});
      if (!last) plan.push_back({CollectiveAction::kSend, next, part + kPartsARound, passing[i]});
    }
  }
  return plan;
}

}  // namespace

CollectivePlan PlanReduceScatter(const FloatSegments& segments, size_t me) {
  const size_t n = segments.size();
  CollectivePlan plan;
  if (n == 1) {
    Append(CollectiveAction::kCopy, me, 0, Cut(segments, 0, 1, true), &plan);
    return plan;
  }
  if (!Halves(segments)) return Ring(CollectiveAction::kAdd, segments, me, (me + n - 1) % n);
  size_t begin = 0, round = 0;
  for (size_t half = n / 2; half > 0; half /= 2, ++round) {
    const bool lower = (me & half) == 0;
    const size_t mine = lower ? begin : begin + half, theirs = lower ? begin + half : begin;
    Append(CollectiveAction::kSend, me ^ half, round, Cut(segments, theirs, theirs + half), &plan);
    Append(CollectiveAction::kAdd, me ^ half, round, Cut(segments, mine, mine + half, half == 1), &plan);
    begin = mine;
  }
  return plan;
}

CollectivePlan PlanAllGather(const FloatSegments& segments, size_t me) {
  const size_t n = segments.size();
  if (n == 1) return {};
  if (!Halves(segments)) return Ring(CollectiveAction::kPut, segments, me, me);
  CollectivePlan plan;
  size_t round = 0;
  for (size_t have = 1; have < n; have *= 2, ++round) {
    const size_t mine = me / have * have, theirs = mine ^ have;
    Append(CollectiveAction::kSend, me ^ have, round, Cut(segments, mine, mine + have), &plan);
    Append(CollectiveAction::kPut, me ^ have, round, Cut(segments, theirs, theirs + have), &plan);
  }
  return plan;
}

}  // namespace syncline
