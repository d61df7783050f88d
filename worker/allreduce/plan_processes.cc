#include "worker/allreduce/plan_processes.h"

#include <algorithm>
#include <utility>

#include "gtest/gtest.h"

namespace syncline {

PlanProcesses::PlanProcesses(size_t n, size_t floats) : vectors(n), sums(n, std::vector<float>(floats, -1)) {
  for (size_t p = 0; p < n; ++p) {
    for (size_t i = 0; i < floats; ++i) vectors[p].push_back(1.0f / static_cast<float>(1 + p * floats + i));
  }
}

FloatSegments PlanProcesses::Segments(size_t p, const std::vector<size_t>& owners, size_t run, bool with_sums,
                                      Codec codec) {
  FloatSegments segments(vectors.size());
  for (size_t at = 0, s = 0; at < vectors[p].size(); at += run, s = (s + 1) % owners.size()) {
    const size_t floats = std::min(run, vectors[p].size() - at);
    segments[owners[s]].push_back(
        {vectors[p].data() + at, floats, with_sums ? sums[p].data() + at : nullptr, codec});
  }
  return segments;
}

FloatSegments PlanProcesses::Segments(size_t p, size_t run, bool with_sums) {
  std::vector<size_t> all;
  for (size_t owner = 0; owner < vectors.size(); ++owner) all.push_back(owner);
  return Segments(p, all, run, with_sums);
}

void PlanProcesses::Run(const std::vector<CollectivePlan>& plans) {
  std::vector<size_t> next(plans.size());
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t p = 0; p < plans.size(); ++p) {
      while (next[p] < plans[p].size() && Do(p, plans[p][next[p]])) {
        ++next[p];
        moved = true;
      }
    }
  }
  for (size_t p = 0; p < plans.size(); ++p) EXPECT_EQ(next[p], plans[p].size()) << "process " << p << " waits";
  EXPECT_TRUE(messages_.empty()) << "nobody takes a message";
}

bool PlanProcesses::Do(size_t p, const CollectiveAction& action) {
  if (action.kind == CollectiveAction::kSend) {
    std::vector<float>& message = messages_[{p, action.peer, action.part}];
    EXPECT_TRUE(message.empty()) << "one part twice";
    for (const FloatRun& run : action.runs) message.insert(message.end(), run.data, run.data + run.floats);
    return true;
  }
  std::vector<float> message;
  if (action.kind != CollectiveAction::kCopy) {
    const auto found = messages_.find({action.peer, p, action.part});
    if (found == messages_.end()) return false;
    message = std::move(found->second);
    messages_.erase(found);
  }
  size_t at = 0;
  for (const FloatRun& run : action.runs) {
    for (size_t i = 0; i < run.floats; ++i) {
      float* const to = run.sum == nullptr ? run.data : run.sum;
      if (action.kind == CollectiveAction::kPut) run.data[i] = message[at++];
      if (action.kind == CollectiveAction::kAdd) to[i] = run.data[i] + message[at++];
      if (action.kind == CollectiveAction::kCopy) to[i] = run.data[i];
    }
  }
  return true;
}

size_t SentBytes(const CollectivePlan& plan, const std::vector<size_t>& others) {
  size_t bytes = 0;
  for (const CollectiveAction& action : plan) {
    const bool counts = std::find(others.begin(), others.end(), action.peer) != others.end();
    if (counts && action.kind == CollectiveAction::kSend) bytes += MessageBytes(action.runs);
  }
  return bytes;
}

}  // namespace syncline
