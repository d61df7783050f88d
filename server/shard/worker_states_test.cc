#include "server/shard/worker_states.h"

#include <thread>

#include "gtest/gtest.h"

namespace syncline {
namespace {

using Worker = WorkerStates::Worker;

constexpr absl::Duration kLong = absl::Seconds(30);

WorkerStates::State At(Rank rank, Clock clock) {
  auto state = std::make_shared<WorkerState>();
  state->rank = rank;
  state->clock = clock;
  return state;
}

std::vector<std::pair<Rank, Clock>> Of(const std::vector<WorkerStates::State>& states) {
  std::vector<std::pair<Rank, Clock>> all;
  for (const auto& state : states) all.emplace_back(state->rank, state->clock);
  return all;
}

using Found = std::vector<std::pair<Rank, Clock>>;

TEST(WorkerStatesTest, AsksEachOnceForTheClockOfTheSnapshot) {
  WorkerStates states(true);
  const auto ticket = states.Ask(7, {{0, 1}, {1, 4}});
  EXPECT_FALSE(states.Wanted({0, 1}, 6));
  EXPECT_TRUE(states.Wanted({0, 1}, 7));
  EXPECT_FALSE(states.Wanted({1, 3}, 7)) << "another incarnation";
  states.Keep({0, 1}, At(0, 6), false);
  EXPECT_TRUE(states.Wanted({0, 1}, 7)) << "what it carried before another step";
  states.Keep({0, 1}, At(0, 7), false);
  EXPECT_FALSE(states.Wanted({0, 1}, 7));
  std::thread later([&] { states.Keep({1, 4}, At(1, 7), false); });
  std::vector<Rank> missing;
  EXPECT_EQ(Of(states.Take(ticket, kLong, &missing)), (Found{{0, 7}, {1, 7}}));
  later.join();
  EXPECT_TRUE(missing.empty());
}

TEST(WorkerStatesTest, AnyClockWillDoWhereThereAreNoSteps) {
  WorkerStates states(false);
  const auto ticket = states.Ask(3, {{0, 1}});
  EXPECT_TRUE(states.Wanted({0, 1}, 9));
  states.Keep({0, 1}, At(0, 9), false);
  std::vector<Rank> missing;
  EXPECT_EQ(Of(states.Take(ticket, kLong, &missing)), (Found{{0, 9}}));
}

TEST(WorkerStatesTest, WhoIsGoneIsNotWaitedForAndWhoIsSilentIsNamed) {
  WorkerStates states(true);
  const auto ticket = states.Ask(7, {{0, 1}, {1, 4}});
  states.Forget({0, 1});
  std::vector<Rank> missing;
  EXPECT_TRUE(states.Take(ticket, absl::ZeroDuration(), &missing).empty());
  EXPECT_EQ(missing, std::vector<Rank>{1});
}

TEST(WorkerStatesTest, WhatALeaverCarriesGoesToOneHeirAndIntoCheckpointsUntilThen) {
  WorkerStates states(true);
  states.Keep({2, 5}, At(2, 10), true);
  states.Forget({2, 5});
  std::vector<Rank> missing;
  EXPECT_EQ(Of(states.Take(states.Ask(12, {}), kLong, &missing)), (Found{{2, 10}}));
  EXPECT_EQ(states.Inherit({2, 6})->clock, 10u);
  EXPECT_NE(states.Inherit({2, 6}), nullptr) << "its answer may have been lost";
  EXPECT_EQ(states.Inherit({2, 7}), nullptr) << "the heir has pushed of it since";
  EXPECT_TRUE(states.Take(states.Ask(14, {}), kLong, &missing).empty());
  states.Forget({2, 6});
  EXPECT_EQ(states.Inherit({2, 6}), nullptr);
}

TEST(WorkerStatesTest, WhatWasHandedInForACheckpointIsNotInherited) {
  WorkerStates states(true);
  states.Ask(7, {{0, 1}});
  states.Keep({0, 1}, At(0, 7), false);
  states.Forget({0, 1});
  EXPECT_EQ(states.Inherit({0, 2}), nullptr) << "it pushed part of that before it was lost";
  states.Restore(At(0, 3));
  EXPECT_EQ(states.Inherit({0, 2})->clock, 3u);
}

TEST(WorkerStatesTest, ClosingEndsTheWait) {
  WorkerStates states(true);
  const auto ticket = states.Ask(7, {{0, 1}});
  states.Close();
  std::vector<Rank> missing;
  EXPECT_TRUE(states.Take(ticket, absl::InfiniteDuration(), &missing).empty());
}

}  // namespace
}  // namespace syncline
