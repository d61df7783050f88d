#include "worker/allreduce/collective_plan.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace syncline {
namespace {

// Processes with a vector each, which do what their plans say, in turn, as far as what they need has come.
class Processes {
 public:
  Processes(size_t n, size_t floats) : vectors_(n), sums_(n, std::vector<float>(floats, -1)) {
    for (size_t p = 0; p < n; ++p) {
      for (size_t i = 0; i < floats; ++i) vectors_[p].push_back(1.0f / static_cast<float>(1 + p * floats + i));
    }
  }

  // Process p has every n-th run of `run` floats.
  FloatSegments Segments(size_t p, size_t run, bool sums) {
    FloatSegments segments(vectors_.size());
    for (size_t at = 0, s = 0; at < vectors_[p].size(); at += run, s = (s + 1) % segments.size()) {
      const size_t floats = std::min(run, vectors_[p].size() - at);
      segments[s].push_back({vectors_[p].data() + at, floats, sums ? sums_[p].data() + at : nullptr});
    }
    return segments;
  }
  void Run(const std::vector<CollectivePlan>& plans) {
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
  }

  std::vector<std::vector<float>> vectors_, sums_;

 private:
  bool Do(size_t p, const CollectiveAction& action) {
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

  std::map<std::tuple<size_t, size_t, uint32_t>, std::vector<float>> messages_;  // from, to, part
};

class CollectivePlanTest : public ::testing::TestWithParam<std::tuple<size_t, size_t>> {
 protected:
  const size_t n_ = std::get<0>(GetParam()), floats_ = std::get<1>(GetParam());
  const size_t run_ = floats_ / 7 + 1;
};

// Short vectors by halves where the processes are a power of two, and messages of a ring that are cut.
INSTANTIATE_TEST_SUITE_P(AllSizes, CollectivePlanTest,
                         ::testing::Combine(::testing::Values(1, 2, 3, 4, 5, 8), ::testing::Values(3, 1000, 600000)));

TEST_P(CollectivePlanTest, EachProcessHasTheSumOfItsSegmentWhereItWantsIt) {
  Processes processes(n_, floats_);
  const auto before = processes.vectors_;
  std::vector<CollectivePlan> plans;
  for (size_t p = 0; p < n_; ++p) plans.push_back(PlanReduceScatter(processes.Segments(p, run_, true), p));
  processes.Run(plans);
  for (size_t i = 0; i < floats_; ++i) {
    double sum = 0;
    for (const auto& vector : before) sum += vector[i];
    const size_t owner = i / run_ % n_;
    ASSERT_NEAR(processes.sums_[owner][i], sum, 1e-6 * sum) << i;
    ASSERT_TRUE(n_ != 2 || processes.vectors_[owner][i] == before[owner][i]) << "its own gradient is left alone";
    ASSERT_TRUE(n_ == 1 || processes.sums_[(owner + 1) % n_][i] == -1) << i;
  }
}

TEST_P(CollectivePlanTest, EachProcessGetsAllSegments) {
  Processes processes(n_, floats_);
  const auto before = processes.vectors_;
  std::vector<CollectivePlan> plans;
  for (size_t p = 0; p < n_; ++p) plans.push_back(PlanAllGather(processes.Segments(p, run_, false), p));
  processes.Run(plans);
  for (size_t i = 0; i < floats_; ++i) {
    for (size_t p = 0; p < n_; ++p) ASSERT_EQ(processes.vectors_[p][i], before[i / run_ % n_][i]) << p << " " << i;
  }
}

TEST(CollectivePlanOrderTest, ARingSendsNoFloatMoreThanItMust) {
  const size_t n = 3, floats = 1200000;
  Processes processes(n, floats);
  size_t sent = 0;
  for (size_t p = 0; p < n; ++p) {
    for (const CollectiveAction& action : PlanReduceScatter(processes.Segments(p, floats / n, true), p)) {
      for (const FloatRun& run : action.runs) sent += action.kind == CollectiveAction::kSend ? run.floats : 0;
    }
  }
  EXPECT_EQ(sent, (n - 1) * floats);
}

}  // namespace
}  // namespace syncline
