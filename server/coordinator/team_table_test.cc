#include "server/coordinator/team_table.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

class TeamTableTest : public ::testing::Test {
 protected:
  static JoinTeamRequest Process(uint64_t life) {
    JoinTeamRequest request;
    request.set_life(life);
    request.set_address(absl::StrCat("host:", life));
    return request;
  }
  std::string Join(const JoinTeamRequest& request, TeamTable* table = nullptr) {
    if (table == nullptr) table = &table_;
    const auto place = table->Join(request, 2, now_);
    return place ? absl::StrCat(place->team, "/", place->place) : "none";
  }
  uint64_t Generation(uint32_t team) {
    JoinTeamReply reply;
    table_.Describe(team, &reply);
    return reply.generation();
  }

  absl::Time now_ = absl::FromUnixSeconds(100);
  TeamTable table_{2, false, 7};
};

TEST_F(TeamTableTest, PlacesAreGivenInOrderAndKept) {
  EXPECT_EQ(Join(Process(1)), "0/0");
  EXPECT_EQ(Join(Process(2)), "0/1");
  EXPECT_EQ(Join(Process(3)), "1/0");
  EXPECT_EQ(Join(Process(4)), "1/1");
  EXPECT_EQ(Join(Process(5)), "none");
  EXPECT_EQ(Join(Process(2)), "0/1");
  JoinTeamReply reply;
  table_.Describe(0, &reply);
  EXPECT_EQ(reply.processes(1).address(), "host:2");
}

TEST_F(TeamTableTest, WhoIsSilentLosesItsPlaceToWhoComesNext) {
  for (uint64_t life = 1; life <= 4; ++life) Join(Process(life));
  const uint64_t first = Generation(0), second = Generation(1);
  EXPECT_GT(first, 7u);
  now_ += absl::Seconds(10);
  for (const uint64_t life : {1, 3, 4}) Join(Process(life));
  EXPECT_EQ(Generation(0), first);  // to be heard of changes nothing
  table_.RemoveSilent(now_);
  EXPECT_GT(Generation(0), first);
  EXPECT_EQ(Generation(1), second);
  EXPECT_EQ(table_.Vacant(2)->place, 1u);
  EXPECT_EQ(table_.Leader(0), 1u);
  EXPECT_EQ(table_.Leader(7), 0u);
  EXPECT_EQ(Join(Process(9)), "0/1");
  EXPECT_FALSE(table_.Vacant(2).has_value());
  // Whom it was given up for finds it taken.
  EXPECT_EQ(Join(Process(2)), "none");
}

TEST_F(TeamTableTest, WhoLeavesFreesItsPlaceAtOnce) {
  Join(Process(1));
  JoinTeamRequest leaving = Process(1);
  leaving.set_leaving(true);
  leaving.mutable_progress()->set_memory_bytes(5);
  EXPECT_EQ(Join(leaving), "none");
  EXPECT_EQ(table_.Status()[0].processes(0).address(), "");
  EXPECT_EQ(table_.Status()[0].processes(0).progress().memory_bytes(), 5u);
  EXPECT_EQ(Join(Process(2)), "0/0");
}

TEST_F(TeamTableTest, AnElasticTeamKeepsItsLeader) {
  TeamTable table(3, true, 7);
  EXPECT_EQ(Join(Process(1), &table), "0/0");
  EXPECT_EQ(Join(Process(2), &table), "0/1");
  EXPECT_EQ(Join(Process(3), &table), "0/2");
  JoinTeamRequest leaving = Process(1);
  leaving.set_leaving(true);
  Join(leaving, &table);
  leaving = Process(3);
  leaving.set_leaving(true);
  Join(leaving, &table);
  EXPECT_EQ(table.Leader(0), 2u);
  EXPECT_EQ(Join(Process(4), &table), "0/2") << "above the one that leads now";
  EXPECT_EQ(table.Leader(0), 2u);
  EXPECT_EQ(Join(Process(5), &table), "0/0") << "there is no other";
}

TEST_F(TeamTableTest, ANewTableLearnsWhereProcessesAre) {
  JoinTeamRequest request = Process(4);
  request.set_team(1);
  request.set_place(1);
  TeamTable next(2, false, 1000);
  EXPECT_EQ(Join(request, &next), "1/1");
  EXPECT_EQ(Join(Process(1), &next), "0/0");
  // A place that somebody else has is not taken from it.
  JoinTeamRequest other = Process(5);
  other.set_team(1);
  other.set_place(1);
  EXPECT_EQ(Join(other, &next), "0/1");
  // Nor is there one beyond what the job has.
  other = Process(6);
  other.set_team(7);
  EXPECT_EQ(Join(other, &next), "1/0");
}

}  // namespace
}  // namespace syncline
