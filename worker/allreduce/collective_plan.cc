#include "worker/allreduce/collective_plan.h"

#include <algorithm>
#include <utility>

#include "common/codec/codec.h"

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
        messages.back().push_back({run.data, floats, run.sum, run.codec});
        run.data += floats;
        run.floats -= floats;
        if (run.sum != nullptr) run.sum += floats;
        room -= floats;
      }
    }
  }
  return messages;
}

void Append(Kind kind, size_t peer, size_t round, Messages messages, CollectivePlan* plan) {
  uint32_t part = static_cast<uint32_t>(round) * kPartsARound;
  for (auto& message : messages) plan->push_back({kind, peer, part++, std::move(message), nullptr});
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
      plan.push_back({arrival, before, part, passing[i], nullptr});
      if (!last) plan.push_back({CollectiveAction::kSend, next, part + kPartsARound, passing[i], nullptr});
    }
  }
  return plan;
}

bool TravelsCoded(const FloatSegments& segments) { return std::any_of(segments.begin(), segments.end(), IsCoded); }

// Each sends its part of a segment to the process that sums it.
CollectivePlan Straight(const FloatSegments& segments, size_t me) {
  const size_t n = segments.size();
  CollectivePlan plan;
  for (size_t distance = 1; distance < n; ++distance) {
    const size_t to = (me + distance) % n;
    Append(CollectiveAction::kSend, to, 0, Cut(segments, to, to + 1), &plan);
  }
  Messages own = Cut(segments, me, me + 1, true);
  for (size_t distance = 1; distance < n; ++distance) {
    Append(CollectiveAction::kAdd, (me + n - distance) % n, 0, own, &plan);
    if (distance > 1) continue;
    // The others are added to the sum.
    for (auto& message : own) {
      for (FloatRun& run : message) run.data = run.sum == nullptr ? run.data : run.sum;
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
  if (TravelsCoded(segments)) return Straight(segments, me);
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

size_t MessageBytes(const std::vector<FloatRun>& runs) {
  size_t bytes = 0;
  for (const FloatRun& run : runs) bytes += EncodedBytes(run.codec, run.floats);
  return bytes;
}

bool IsCoded(const std::vector<FloatRun>& runs) {
  return std::any_of(runs.begin(), runs.end(), [](const FloatRun& run) { return run.codec > CODEC_NONE; });
}

size_t CodedBytes(const CollectivePlan& plan) {
  size_t bytes = 0;
  for (const CollectiveAction& action : plan) {
    if (action.kind == CollectiveAction::kSend && IsCoded(action.runs)) bytes += MessageBytes(action.runs);
  }
  return bytes;
}

void PlaceCoded(char* memory, CollectivePlan* plan) {
  for (CollectiveAction& action : *plan) {
    if (action.kind != CollectiveAction::kSend || !IsCoded(action.runs)) continue;
    action.coded = memory;
    memory += MessageBytes(action.runs);
  }
}

}  // namespace syncline
