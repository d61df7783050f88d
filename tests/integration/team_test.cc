// Processes of a team: their places, what they say to each other, and sums among them; and what those that share a
// layer have for each other.

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/io/posix_file_system.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/integration/in_process_cluster.h"
#include "worker/allreduce/collective.h"
#include "worker/backend/cpu/cpu_backend.h"
#include "worker/team/team.h"
#include "worker/tensor/group_exchange.h"
#include "worker/tensor/weight_exchange.h"

namespace syncline {
namespace {

class TeamTest : public ::testing::TestWithParam<std::tuple<int, bool>> {
 protected:
  static JobManifest Job(int workers) {
    JobManifest job = SmallJob(2, 2, 8);
    job.set_workers(workers);
    job.set_aggregation(AGGREGATION_ALLREDUCE);
    return job;
  }

  // A coordinator and a team of so many, complete.
  void Start(int count, bool shared_memory = true) {
    cluster_ = std::make_unique<InProcessCluster>(Job(count), "", absl::Seconds(2), &PosixFileSystem(), false);
    for (int i = 0; i < count; ++i) {
      Team::Options options;
      options.coordinator = cluster_->coordinator();
      options.name = absl::StrCat("process-", i);
      options.shared_memory = shared_memory;
      auto team = Team::Start(options);
      SYNCLINE_ASSERT_OK(team);
      teams_.push_back(*std::move(team));
    }
    for (const auto& team : teams_) {
      SYNCLINE_ASSERT_OK(team->Await([](const Team::View& view) { return view.complete; }, nullptr));
    }
    // All know of all.
    uint64_t newest = 0;
    for (const auto& team : teams_) newest = std::max(newest, team->view().generation);
    for (const auto& team : teams_) {
      SYNCLINE_ASSERT_OK(team->Await([&](const Team::View& view) { return view.generation == newest; }, nullptr));
    }
  }

  // On a thread for each process.
  void All(const std::function<void(Team*, const TeamAttempt&)>& body) {
    ++attempts_;
    std::vector<std::thread> threads;
    for (const auto& team : teams_) {
      threads.emplace_back([&, team = team.get()] {
        const TeamAttempt attempt = {team->view().generation, attempts_};
        team->mailbox()->BeginAttempt(attempt);
        body(team, attempt);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  std::unique_ptr<InProcessCluster> cluster_;
  std::vector<std::unique_ptr<Team>> teams_;
  uint64_t attempts_ = 0;
};

TEST_P(TeamTest, SumsAndGathersAnyNumberOfFloats) {
  const auto [n, shared_memory] = GetParam();
  ASSERT_NO_FATAL_FAILURE(Start(n, shared_memory));
  // Less than a float each, short, and of several messages. The first ones lend the memory.
  for (const size_t floats : {size_t{3}, size_t{1000}, size_t{700000}, size_t{700000}}) {
    All([&, n = n](Team* team, const TeamAttempt& attempt) {
      const Team::View view = team->view();
      std::vector<float> own(floats);
      const std::shared_ptr<void> lent = team->memory()->Allocate(floats * sizeof(float));
      float* const vector = lent == nullptr ? own.data() : static_cast<float*>(lent.get());
      for (size_t i = 0; i < floats; ++i) vector[i] = static_cast<float>((i + 1) % 17 * (view.place + 1));
      Collective::Segments segments;
      for (int s = 0; s < n; ++s) {
        const size_t begin = floats * s / n, end = floats * (s + 1) / n, middle = (begin + end) / 2;
        segments.push_back({{vector + begin, middle - begin}, {vector + middle, end - middle}});
      }
      Collective collective(team, attempt, view.places(), view.place);
      SYNCLINE_ASSERT_OK(collective.ReduceScatter(segments));
      SYNCLINE_ASSERT_OK(collective.AllGather(segments));
      const int all = n * (n + 1) / 2;
      for (size_t i = 0; i < floats; ++i) {
        ASSERT_EQ(vector[i], static_cast<float>((i + 1) % 17 * all)) << i << " of " << floats;
      }
    });
  }
  for (const auto& team : teams_) {
    EXPECT_EQ(team->OnThisHost((team->view().place + 1) % n), shared_memory && n > 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Of, TeamTest, ::testing::Combine(::testing::Values(1, 2, 3, 4, 5), ::testing::Bool()),
                         [](const auto& info) {
                           return absl::StrCat(std::get<0>(info.param), std::get<1>(info.param) ? "OnOneHost" : "");
                         });

// Memory that the host can't write to, as far as anybody knows.
const Backend* Apart() {
  static const Backend backend = [] {
    Backend table = *CpuBackend();
    table.host_memory = 0;
    return table;
  }();
  return &backend;
}

TEST_P(TeamTest, SharesOfALayerAreSummedAndGathered) {
  const int n = std::get<0>(GetParam());
  if (n == 1) return;
  ASSERT_NO_FATAL_FAILURE(Start(n));
  for (const Backend* backend : {CpuBackend(), Apart()}) {
    All([&](Team* team, const TeamAttempt& attempt) {
      const auto device = Device::Open(backend);
      SYNCLINE_ASSERT_OK(device);
      const int part = static_cast<int>(team->view().place);
      GroupExchange group({team, device->get(), 0, part, n});
      group.Begin(attempt);
      // Less than a float each; at once; a part each.
      for (const size_t floats : {size_t{3}, size_t{1000}, size_t{30000}}) {
        std::vector<float> vector(floats);
        for (size_t i = 0; i < floats; ++i) vector[i] = static_cast<float>(i % 17 * (part + 1));
        SYNCLINE_ASSERT_OK(group.Sum(vector.data(), floats));
        for (size_t i = 0; i < floats; ++i) ASSERT_EQ(vector[i], static_cast<float>(i % 17 * (n * (n + 1) / 2))) << i;
      }
      constexpr int kRows = 3, kWidth = 11;
      std::vector<float> whole(kRows * kWidth), gathered(kRows * kWidth);
      for (size_t i = 0; i < whole.size(); ++i) whole[i] = static_cast<float>(i);
      std::vector<float> own(kRows * AxisPart::Of(kWidth, &group).here());
      SYNCLINE_ASSERT_OK(group.Take(kRows, kWidth, whole.data(), own.data()));
      EXPECT_EQ(own[0], static_cast<float>(kWidth * part / n));
      SYNCLINE_ASSERT_OK(group.Gather(kRows, kWidth, own.data(), gathered.data()));
      EXPECT_EQ(gathered, whole);
    });
  }
}

// A linear layer by columns, with a bias; one by rows; the three projections of attention by heads; one that is not
// split.
std::vector<ParameterSpec> SplitParameters(int part, int parts) {
  const auto slice = [&](int64_t places, int64_t each) {
    const PartRange range = PartOf(places, part, parts);
    return TensorSlice{places * each, range.begin * each, range.end * each};
  };
  return {{"columns", {13, 7}, {}, slice(13, 7)}, {"bias", {13}, {}, slice(13, 1)}, {"rows", {9, 13}, {}, slice(13, 1)},
          {"heads", {18, 5}, {}, slice(6, 5)},    {"whole", {31}, {}, {}}};
}

TEST_P(TeamTest, SegmentsOfWeightsBecomeSlicesAndBack) {
  const int n = std::get<0>(GetParam());
  if (n == 1) return;
  ASSERT_NO_FATAL_FAILURE(Start(n));
  constexpr int64_t kChunk = 8;
  All([&](Team* team, const TeamAttempt& attempt) {
    const auto device = Device::Open(CpuBackend());
    SYNCLINE_ASSERT_OK(device);
    const int part = static_cast<int>(team->view().place);
    GroupExchange group({team, device->get(), 0, part, n});
    std::vector<std::vector<ParameterSpec>> specs;
    for (int p = 0; p < n; ++p) specs.push_back(SplitParameters(p, n));
    const std::vector<ParameterSpec> own = specs[part];
    const auto exchange = WeightExchange::Create(&group, specs, kChunk);
    SYNCLINE_ASSERT_OK(exchange);
    std::vector<std::vector<float>> memory;
    std::vector<float*> places;
    for (size_t p = 0; p < own.size(); ++p) {
      memory.emplace_back(WeightExchange::Room(own[p], p, kChunk, group), -1.0f);
      places.push_back(memory[p].data());
    }
    const auto value = [](size_t p, int64_t element) { return static_cast<float>(1000 * p + element); };
    for (size_t p = 0; p < own.size(); ++p) {
      const TensorSegment segment = (*exchange)->segment(p);
      for (int64_t i = segment.begin; i < segment.end; ++i) (*exchange)->TensorAt(p, places[p])[i] = value(p, i);
    }
    group.Begin(attempt);
    SYNCLINE_ASSERT_OK((*exchange)->SpreadWeights(places));
    for (size_t p = 0; p < own.size(); ++p) {
      int64_t seen = 0;
      ForEachRun(own[p].slice, own[p].whole_size(), {0, own[p].whole_size()},
                 [&](int64_t whole, int64_t here, int64_t floats) {
                   for (int64_t i = 0; i < floats; ++i, ++seen) {
                     ASSERT_EQ(memory[p][here + i], value(p, whole + i)) << own[p].name << " " << whole + i;
                     memory[p][here + i] += 0.5f;
                   }
                 });
      EXPECT_EQ(seen, own[p].size());
    }
    SYNCLINE_ASSERT_OK((*exchange)->CollectGradients(places));
    for (size_t p = 0; p < own.size(); ++p) {
      const TensorSegment segment = (*exchange)->segment(p);
      for (int64_t i = segment.begin; i < segment.end; ++i) {
        ASSERT_EQ((*exchange)->TensorAt(p, places[p])[i], value(p, i) + 0.5f) << own[p].name << " " << i;
      }
    }
  });
}

TEST_F(TeamTest, WhoWaitsForOneThatGoesIsTold) {
  ASSERT_NO_FATAL_FAILURE(Start(3));
  const uint32_t gone = teams_.back()->view().place;
  All([&](Team* team, const TeamAttempt& attempt) {
    if (team->view().place == gone) return;
    if (team->view().place == (gone + 1) % 3) {
      // To one that is there it arrives; to nobody, it ends as well.
      const TeamMessage message = MessageOf(TeamMessage::DONE, attempt);
      team->Send((gone + 2) % 3, message)->Wait();
      team->Send(7, message)->Wait();
    } else {
      SYNCLINE_EXPECT_OK(team->mailbox()->Take(TeamMessage::DONE, (gone + 1) % 3, 0).status());
    }
  });
  std::thread leaves([this] { teams_.pop_back(); });
  EXPECT_THAT(teams_[0]->mailbox()->Take(TeamMessage::REDUCE, gone, 0).status(),
              StatusIs(absl::StatusCode::kAborted));
  leaves.join();
  SYNCLINE_EXPECT_OK(teams_[0]->Await([](const Team::View& view) { return view.places().size() == 2; }, nullptr));
}

}  // namespace
}  // namespace syncline
