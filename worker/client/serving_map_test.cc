#include "worker/client/serving_map.h"

#include "common/cluster/shard_map.h"
#include "common/status/status_matchers.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

size_t First(size_t) { return 0; }

// What server `address` with part `part` of `parts` says: a table of `slots` slots.
ServedMap Server(const std::string& address, uint32_t part, uint32_t parts, uint32_t slots = 8) {
  TensorSpec table;
  table.set_name("items");
  table.mutable_table()->set_dim(4);
  table.mutable_table()->set_slots(slots);
  std::vector<std::string> places(parts);
  places[part] = "here";
  return {address, *MakeShardMap({table}, places, 4096, false)};
}

TEST(ServingMapTest, EveryPartIsWhereItsServerIs) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const ShardMap map, JoinServedMaps({Server("b:2", 1, 2), Server("a:1", 0, 2)}, First));
  EXPECT_THAT(map.shards(), testing::ElementsAre("a:1", "b:2"));
  EXPECT_EQ(map.epoch(), 2u);
}

TEST(ServingMapTest, OfSeveralWithOnePartOneIsChosen) {
  const auto last = [](size_t count) { return count - 1; };
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const ShardMap map,
                                JoinServedMaps({Server("a:1", 0, 1), Server("b:2", 0, 1), Server("c:3", 0, 1)}, last));
  EXPECT_THAT(map.shards(), testing::ElementsAre("c:3"));
}

TEST(ServingMapTest, SaysWhichPartNobodyHas) {
  EXPECT_THAT(JoinServedMaps({}, First), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(JoinServedMaps({Server("a:1", 0, 2), Server("b:2", 0, 2)}, First),
              StatusIs(StatusCode::kUnavailable, HasSubstr("part 1/2")));
}

TEST(ServingMapTest, RefusesServersOfOtherTablesOrParts) {
  EXPECT_THAT(JoinServedMaps({Server("a:1", 0, 1), Server("b:2", 0, 1, 16)}, First),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("a:1 and b:2")));
  EXPECT_THAT(JoinServedMaps({Server("a:1", 0, 1), Server("b:2", 0, 2)}, First),
              StatusIs(StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace syncline
