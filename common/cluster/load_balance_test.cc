#include "common/cluster/load_balance.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr uint64_t kMiB = 1 << 20;

// Units of a MiB, by shard their loads.
std::vector<LoadedUnit> Units(const std::vector<std::vector<double>>& loads) {
  std::vector<LoadedUnit> units;
  for (uint32_t shard = 0; shard < loads.size(); ++shard) {
    for (const double load : loads[shard]) units.push_back({shard, kMiB, kMiB, load});
  }
  return units;
}

UnitMove Move(size_t unit, uint32_t to) { return {unit, to}; }

TEST(LoadBalanceTest, NothingMovesWhereLoadIsEvenEnough) {
  EXPECT_THAT(PlanLoadMoves(Units({{55, 0}, {45, 0}}), {0, 0}, {}), IsEmpty());
  EXPECT_THAT(PlanLoadMoves(Units({{0, 0}, {0, 0}}), {0, 0}, {}), IsEmpty());
  EXPECT_THAT(PlanLoadMoves(Units({{100, 100}}), {0}, {}), IsEmpty());
  EXPECT_THAT(PlanLoadMoves({}, {0, 0}, {}), IsEmpty());
}

// 4 units each: a fifth would be too many, so a cold one comes back.
TEST(LoadBalanceTest, AHotUnitIsExchangedForAColdOne) {
  EXPECT_THAT(PlanLoadMoves(Units({{50, 50, 1, 1}, {2, 1, 0, 1}}), {0, 0}, {}), ElementsAre(Move(0, 1), Move(6, 0)));
}

TEST(LoadBalanceTest, WhereBytesAllowItNothingComesBack) {
  LoadGoal goal;
  goal.full = 1.25;
  EXPECT_THAT(PlanLoadMoves(Units({{50, 50, 1, 1}, {2, 1, 0, 1}}), {0, 0}, goal), ElementsAre(Move(0, 1)));
}

// Moving it would only make the other shard the busy one.
TEST(LoadBalanceTest, OneUnitThatIsHotterThanTheMeanStays) {
  EXPECT_THAT(PlanLoadMoves(Units({{100, 0}, {0, 0}}), {0, 0}, {}), IsEmpty());
}

TEST(LoadBalanceTest, ButWhatIsBesideItGoes) {
  EXPECT_THAT(PlanLoadMoves(Units({{100, 20, 0}, {0, 0, 0}}), {0, 0}, {}), ElementsAre(Move(1, 1), Move(3, 0)));
}

// Either of the first two would do; the second is smaller.
TEST(LoadBalanceTest, TheFewestBytesThatDoItMove) {
  std::vector<LoadedUnit> units = {{0, 4 * kMiB, 4 * kMiB, 50}, {0, kMiB, kMiB, 50}, {0, kMiB, kMiB, 0},
                                   {1, kMiB, kMiB, 0},          {1, kMiB, kMiB, 0},  {1, 4 * kMiB, 4 * kMiB, 0}};
  LoadGoal goal;
  goal.full = 1.2;
  EXPECT_THAT(PlanLoadMoves(units, {0, 0}, goal), ElementsAre(Move(1, 1)));
  units[1].cost = 64 * kMiB;  // it holds many rows
  EXPECT_THAT(PlanLoadMoves(units, {0, 0}, goal), ElementsAre(Move(0, 1), Move(5, 0)));
}

TEST(LoadBalanceTest, SeveralShardsAreRelievedOneAfterTheOther) {
  const auto moves = PlanLoadMoves(Units({{30, 30, 30, 30}, {30, 30, 30, 30}, {0, 0, 0, 0}}), {0, 0, 0}, {});
  std::vector<double> load(3);
  std::vector<int> units(3, 4);
  load[0] = load[1] = 120;
  for (const UnitMove& move : moves) {
    const uint32_t from = static_cast<uint32_t>(move.unit / 4);
    const double moved = from < 2 ? 30 : 0;
    load[from] -= moved;
    load[move.to] += moved;
    --units[from];
    ++units[move.to];
  }
  EXPECT_THAT(load, testing::UnorderedElementsAre(90, 90, 60));
  EXPECT_THAT(units, ElementsAre(4, 4, 4));
}

// What a shard reads of copies stays with it.
TEST(LoadBalanceTest, LoadThatIsNotOfItsUnitsCounts) {
  EXPECT_THAT(PlanLoadMoves(Units({{30, 20}, {0, 0}}), {50, 0}, {}),
              ElementsAre(Move(0, 1), Move(2, 0), Move(1, 1), Move(3, 0)));
  EXPECT_THAT(PlanLoadMoves(Units({{30, 20}, {0, 0}}), {0, 50}, {}), IsEmpty());
}

TEST(LoadBalanceTest, BytesAreBoundedButForTheFirstExchange) {
  const auto units = Units({{40, 40, 40, 40, 0, 0}, {0, 0, 0, 0, 0, 0}});
  LoadGoal goal;
  EXPECT_EQ(PlanLoadMoves(units, {0, 0}, goal).size(), 4u);
  goal.most_bytes = 3 * kMiB;
  EXPECT_EQ(PlanLoadMoves(units, {0, 0}, goal).size(), 2u);
  goal.most_bytes = 0;
  EXPECT_EQ(PlanLoadMoves(units, {0, 0}, goal).size(), 2u);
}

TEST(LoadBalanceTest, NoShardGetsTooFull) {
  std::vector<LoadedUnit> units;
  for (uint32_t i = 0; i < 100; ++i) units.push_back({i % 4, (i % 7 + 1) * kMiB, kMiB, i % 4 == 0 ? 10.0 : 1.0});
  std::vector<uint64_t> bytes(4), before(4);
  for (const LoadedUnit& unit : units) before[unit.owner] += unit.bytes;
  for (const UnitMove& move : PlanLoadMoves(units, {0, 0, 0, 0}, {})) units[move.unit].owner = move.to;
  std::vector<double> load(4);
  uint64_t total = 0;
  for (const LoadedUnit& unit : units) {
    bytes[unit.owner] += unit.bytes;
    load[unit.owner] += unit.load;
    total += unit.bytes;
  }
  for (int s = 0; s < 4; ++s) {
    const double most = std::max(1.1 * static_cast<double>(total) / 4, static_cast<double>(before[s]));
    EXPECT_LE(static_cast<double>(bytes[s]), most);
    EXPECT_LE(load[s], 1.1 * 325 / 4);
  }
}

}  // namespace
}  // namespace syncline
