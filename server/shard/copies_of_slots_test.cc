// A copy of a table's slot is brought up to date by what changed alone. One slot, one copy of it; rows whose weights
// are less by 1 with every push of 1.

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/shard/chunk_table.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::IsEmpty;

class CopiesOfSlotsTest : public testing::Test {
 protected:
  static ShardMap Map(uint64_t max_age) {
    ShardMap map;
    map.set_epoch(1);
    map.set_chunk_bytes(4096);
    map.set_replicas(2);
    TensorSpec* const tensor = map.add_tensors();
    tensor->set_name("rows");
    Table* const table = tensor->mutable_table();
    table->set_name("rows");
    table->set_dim(1);
    table->set_slots(1);
    table->mutable_initializer()->set_kind(ROW_INITIALIZER_ZEROS);
    table->mutable_optimizer()->set_kind(ROW_OPTIMIZER_SGD);
    table->mutable_optimizer()->set_learning_rate(1);
    table->mutable_eviction()->set_max_age_steps(max_age);
    map.add_owner(0);
    map.add_backup(1);
    for (const char* const address : {"a:1", "b:1"}) map.add_shards(address);
    return map;
  }
  void Start(uint64_t max_age = 0) {
    for (uint32_t shard = 0; shard < 2; ++shard) {
      ChunkTable::Options options;
      options.job.set_sync_mode(ASYNC);
      options.map = Map(max_age);
      options.shard = shard;
      SYNCLINE_ASSERT_OK_AND_ASSIGN(tables_[shard], ChunkTable::Create(std::move(options)));
    }
  }
  void Push(const std::vector<uint64_t>& keys) {
    const std::vector<float> ones(keys.size(), 1.0f);
    Sender sender;
    sender.set_incarnation(1);
    ChunkGradient gradient;
    gradient.data = Fragments::Of(ones.data(), ones.size() * sizeof(float));
    gradient.keys = Fragments::Of(keys.data(), keys.size() * sizeof(uint64_t));
    SYNCLINE_EXPECT_OK(tables_[0]->Apply(sender, clock_++, gradient, {}, 1));
  }
  // As the copy would be sent, `held` being what it was last heard to be like.
  std::vector<ChunkSnapshot> Changes(std::optional<CopyState> held) { return tables_[0]->Copy({0}, {held}); }
  std::vector<uint32_t> Keep(const std::vector<ChunkSnapshot>& copies, uint64_t epoch = 1) {
    const auto wanting = tables_[1]->Keep(epoch, copies);
    SYNCLINE_EXPECT_OK(wanting.status());
    return wanting.value_or(std::vector<uint32_t>());
  }
  // The copy's rows, once it has taken the owner's place.
  std::vector<float> Rows(const std::vector<uint64_t>& keys) {
    tables_[1]->TakeOver({0});
    const auto read = tables_[1]->ReadRows({0}, {Fragments::Of(keys.data(), keys.size() * sizeof(uint64_t))});
    SYNCLINE_EXPECT_OK(read.status());
    std::vector<float> rows(keys.size());
    FloatReader(read->at(0).data).Copy(rows.size() * sizeof(float), reinterpret_cast<char*>(rows.data()));
    return rows;
  }

  std::unique_ptr<ChunkTable> tables_[2];
  Clock clock_ = 0;
};

TEST_F(CopiesOfSlotsTest, OnlyWhatChangedTravels) {
  Start();
  Push({1, 2, 3});
  const auto whole = Changes(std::nullopt);
  EXPECT_FALSE(whole.at(0).since);
  EXPECT_THAT(Keep(whole), IsEmpty());
  Push({2});
  Push({2, 9});
  const auto change = Changes(CopyState{1, 1});
  ASSERT_TRUE(change.at(0).since);
  EXPECT_EQ(change[0].weights.size(), 2 * change[0].row_bytes) << "of two updates together";
  EXPECT_THAT(Keep(change), IsEmpty());
  EXPECT_EQ(tables_[1]->Holdings().at(0).version(), 3u);
  EXPECT_THAT(Rows({1, 2, 3, 9}), ElementsAre(-1, -3, -1, -1));
}

TEST_F(CopiesOfSlotsTest, WhatComesTwiceOrLateHarmsNothing) {
  Start();
  Push({1, 2});
  EXPECT_THAT(Keep(Changes(std::nullopt)), IsEmpty());
  Push({1});
  const auto first = Changes(CopyState{1, 1});
  Push({2});
  // The answer to `first` is lost, so the next begins where that one did.
  const auto second = Changes(CopyState{1, 1});
  for (const auto& message : {first, second, second, first}) EXPECT_THAT(Keep(message), IsEmpty());
  EXPECT_EQ(tables_[1]->Holdings().at(0).version(), 3u);
  EXPECT_THAT(Rows({1, 2}), ElementsAre(-2, -2));
}

TEST_F(CopiesOfSlotsTest, ACopyThatLacksTheBeginningWantsAll) {
  Start();
  Push({1});
  Push({2});
  const auto change = Changes(CopyState{1, 1});
  ASSERT_TRUE(change.at(0).since);
  EXPECT_THAT(Keep(change), ElementsAre(0)) << "it has nothing yet";
  EXPECT_THAT(Keep(Changes(std::nullopt), 2), IsEmpty());
  Push({2});
  EXPECT_THAT(Keep(Changes(CopyState{3, 2}), 3), ElementsAre(0)) << "what it has is by an older map";
  EXPECT_THAT(Keep(Changes(CopyState{2, 2}), 3), IsEmpty());
  EXPECT_THAT(Rows({1, 2}), ElementsAre(-1, -2));
}

TEST_F(CopiesOfSlotsTest, RowsThatWentGoThereToo) {
  Start(2);
  Push({1, 2});
  EXPECT_THAT(Keep(Changes(std::nullopt)), IsEmpty());
  for (int i = 1; i < 64; ++i) Push({2});
  const auto change = Changes(CopyState{1, 1});
  ASSERT_TRUE(change.at(0).since);
  EXPECT_EQ(change[0].weights.size(), change[0].row_bytes);
  EXPECT_EQ(change[0].gone.size(), sizeof(uint64_t));
  EXPECT_THAT(Keep(change), IsEmpty());
  EXPECT_THAT(Rows({1, 2}), ElementsAre(0, -64));
}

TEST_F(CopiesOfSlotsTest, WhoPushedWhatTravelsAlong) {
  Start();
  Push({1});
  EXPECT_THAT(Keep(Changes(std::nullopt)), IsEmpty());
  Push({1});
  EXPECT_THAT(Keep(Changes(CopyState{1, 1})), IsEmpty());
  tables_[1]->TakeOver({0});
  std::swap(tables_[0], tables_[1]);
  clock_ = 1;
  Push({1});
  std::swap(tables_[0], tables_[1]);
  EXPECT_THAT(Rows({1}), ElementsAre(-2)) << "the second push is known";
}

TEST_F(CopiesOfSlotsTest, AChangeMayNotArriveAsTheChunkItself) {
  Start();
  Push({1});
  EXPECT_THAT(Keep(Changes(std::nullopt)), IsEmpty());
  Push({1});
  tables_[1]->Expect({0});
  EXPECT_THAT(tables_[1]->Arrive(2, Changes(CopyState{1, 1})), StatusIs(StatusCode::kFailedPrecondition));
  SYNCLINE_EXPECT_OK(tables_[1]->Arrive(2, Changes(std::nullopt)));
}

TEST_F(CopiesOfSlotsTest, PartsCountAsAWholeOnly) {
  Start();
  Push({1, 2, 3});
  ChunkSnapshot whole = Changes(std::nullopt).at(0);
  const size_t row = whole.row_bytes, all = whole.weights.size();
  std::vector<std::vector<ChunkSnapshot>> parts;
  for (size_t begin = 0; begin < all; begin += row) {
    parts.push_back({whole});
    parts.back()[0].weights = whole.weights.Sub(begin, row);
    parts.back()[0].part = {begin, all};
  }
  EXPECT_THAT(Keep(parts[0]), IsEmpty());
  EXPECT_THAT(Keep(parts[1]), IsEmpty());
  EXPECT_EQ(tables_[1]->Holdings().at(0).version(), 0u);
  EXPECT_THAT(tables_[1]->Keep(1, parts[0]).status(), StatusIs(StatusCode::kOk)) << "from the first again";
  EXPECT_THAT(tables_[1]->Keep(1, parts[2]).status(), StatusIs(StatusCode::kUnavailable));
  for (const auto& part : parts) EXPECT_THAT(Keep(part), IsEmpty());
  EXPECT_EQ(tables_[1]->Holdings().at(0).version(), 1u);
  EXPECT_THAT(Rows({1, 2, 3}), ElementsAre(-1, -1, -1));
}

}  // namespace
}  // namespace syncline
