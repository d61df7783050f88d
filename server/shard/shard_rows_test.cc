// A shard whose rows do not fit into the memory they may take, and a disk that fails.

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/cluster/shard_map.h"
#include "common/status/status_matchers.h"
#include "common/table/row_hash.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/shard/shard.h"
#include "server/store/memory_cold_pages.h"
#include "server/store/table_memory.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::Each;
using testing::HasSubstr;

constexpr uint32_t kSlots = 3;
constexpr size_t kDim = 250;
constexpr uint64_t kMemory = 600 << 10;  // of which the pages that rows are appended to take 100 KB

// Keys from `begin` on, by slot.
std::map<uint32_t, std::vector<uint64_t>> Keys(uint64_t begin, uint64_t end) {
  std::map<uint32_t, std::vector<uint64_t>> keys;
  for (uint32_t slot = 0; slot < kSlots; ++slot) keys[slot] = {};
  for (uint64_t key = begin; key < end; ++key) keys[SlotOfKey(key, kSlots)].push_back(key);
  return keys;
}

// One table of up to 3 MB that begins with zeros, plain SGD with rate 1, one worker.
class ShardRowsTest : public testing::TestWithParam<SyncMode> {
 protected:
  ShardRowsTest() {
    TensorSpec rows;
    rows.set_name("rows");
    Table* const table = rows.mutable_table();
    table->set_name("rows");
    table->set_dim(kDim);
    table->set_slots(kSlots);
    table->mutable_optimizer()->set_kind(ROW_OPTIMIZER_SGD);
    table->mutable_optimizer()->set_learning_rate(1);
    ShardOptions options;
    options.job.set_sync_mode(GetParam());
    options.map = *MakeShardMap({rows}, {"localhost:1"}, 4096, false);
    options.table_memory = memory_;
    const uint64_t epoch = options.map.epoch();
    shard_ = *Shard::Create(std::move(options));
    UpdateMemberRequest admit;
    admit.set_incarnation(1);
    EXPECT_TRUE(shard_->UpdateMember(admit).ok());
    sender_.set_incarnation(1);
    sender_.set_map_epoch(epoch);
  }

  // A gradient of 1 for each.
  absl::Status Push(Clock clock, uint64_t begin, uint64_t end) {
    const auto keys = Keys(begin, end);
    std::vector<ChunkGradient> gradients;
    for (const auto& [slot, of_slot] : keys) {
      auto owner = std::make_shared<std::pair<std::vector<uint64_t>, std::vector<float>>>(
          of_slot, std::vector<float>(of_slot.size() * kDim, 1));
      gradients.push_back({slot, 0, Fragments::Of(owner->second.data(), owner->second.size() * sizeof(float), owner),
                           CODEC_NONE, Fragments::Of(owner->first.data(), of_slot.size() * sizeof(uint64_t), owner)});
    }
    return shard_->Push(sender_, clock, gradients).status();
  }
  absl::Status Commit(Clock clock) { return shard_->Commit(sender_, clock, 1, {0}).status(); }
  // The first floats of rows; nothing while the pull waits.
  void Pull(Clock clock, uint64_t begin, uint64_t end, std::optional<absl::StatusOr<std::vector<float>>>* to) {
    Shard::PullSpec spec;
    spec.clock = clock;
    const auto keys = std::make_shared<std::map<uint32_t, std::vector<uint64_t>>>(Keys(begin, end));
    for (const auto& [slot, of_slot] : *keys) {
      spec.chunks.push_back(slot);
      spec.keys.push_back(Fragments::Of(of_slot.data(), of_slot.size() * sizeof(uint64_t), keys));
    }
    shard_->Pull(sender_, std::move(spec), [to](absl::StatusOr<Shard::PullResult> result) {
      if (!result.ok()) {
        *to = result.status();
        return;
      }
      std::vector<float> first;
      for (const PulledChunk& chunk : result->chunks) {
        std::vector<float> rows(chunk.data.size() / sizeof(float));
        if (!rows.empty()) FloatReader(chunk.data).Copy(chunk.data.size(), reinterpret_cast<char*>(rows.data()));
        for (size_t i = 0; i < rows.size(); i += kDim) first.push_back(rows[i]);
      }
      *to = first;
    });
  }
  absl::StatusOr<std::vector<float>> Pulled(Clock clock, uint64_t begin, uint64_t end) {
    std::optional<absl::StatusOr<std::vector<float>>> pulled;
    Pull(clock, begin, end, &pulled);
    return pulled.has_value() ? *std::move(pulled) : absl::UnavailableError("it waits");
  }
  absl::Status Step(Clock clock, uint64_t begin, uint64_t end) {
    const absl::Status pushed = Push(clock, begin, end);
    return pushed.ok() ? Commit(clock) : pushed;
  }

  const std::shared_ptr<MemoryColdPages> disk_ = std::make_shared<MemoryColdPages>();
  const std::shared_ptr<TableMemory> memory_ = std::make_shared<TableMemory>(kMemory, disk_);
  std::unique_ptr<Shard> shard_;
  Sender sender_;
};

TEST_P(ShardRowsTest, KeepsWithinItsMemory) {
  for (Clock clock = 0; clock < 30; ++clock) {
    SYNCLINE_ASSERT_OK(Step(clock, clock * 100, clock * 100 + 200));
    EXPECT_LE(memory_->bytes, static_cast<int64_t>(kMemory));
  }
  EXPECT_EQ(memory_->rows, 3100);
  EXPECT_GT(memory_->cold_rows, 2300);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const std::vector<float> rows, Pulled(30, 100, 3000));
  EXPECT_THAT(rows, Each(-2));
  EXPECT_LE(memory_->bytes, static_cast<int64_t>(kMemory)) << "a pull, too, moves others out";
  EXPECT_EQ(shard_->Status().row_memory().cold_rows(), static_cast<uint64_t>(memory_->cold_rows));
  EXPECT_GT(memory_->fetched, 2000u);
  shard_.reset();
  EXPECT_EQ(memory_->bytes, 0);
  EXPECT_EQ(disk_->pages(), 0u);
}

TEST_P(ShardRowsTest, ADiskThatIsFullLosesNothing) {
  disk_->FailWrites(absl::ResourceExhaustedError("full"));
  for (Clock clock = 0; clock < 20; ++clock) SYNCLINE_ASSERT_OK(Step(clock, clock * 100, clock * 100 + 100));
  EXPECT_GT(memory_->bytes, static_cast<int64_t>(2 * kMemory));
  EXPECT_EQ(memory_->cold_rows, 0);
  EXPECT_GT(memory_->failed_writes, 3u);
  EXPECT_THAT(Pulled(20, 0, 2000), IsOkAndHolds(Each(-1)));
  disk_->FailWrites(absl::OkStatus());
  for (Clock clock = 20; clock < 30; ++clock) SYNCLINE_ASSERT_OK(Step(clock, clock * 100, clock * 100 + 100));
  EXPECT_LE(memory_->bytes, static_cast<int64_t>(kMemory));
  EXPECT_THAT(Pulled(30, 0, 3000), IsOkAndHolds(Each(-1)));
}

TEST_P(ShardRowsTest, RowsThatCannotBeReadAreAnErrorAndNoLoss) {
  for (Clock clock = 0; clock < 30; ++clock) SYNCLINE_ASSERT_OK(Step(clock, clock * 100, clock * 100 + 100));
  disk_->FailReads(absl::DataLossError("broken"));
  EXPECT_THAT(Pulled(30, 0, 1000), StatusIs(StatusCode::kDataLoss, HasSubstr("broken")));
  if (GetParam() == ASYNC) {
    EXPECT_THAT(Push(30, 0, 1000), StatusIs(StatusCode::kDataLoss, HasSubstr("broken")));
    disk_->FailReads(absl::OkStatus());
    // What had been applied before is not applied twice.
    SYNCLINE_EXPECT_OK(Step(30, 0, 1000));
  } else {
    SYNCLINE_ASSERT_OK(Step(30, 0, 1000));
    EXPECT_EQ(shard_->Status().step(), 30u) << "it was not made";
    EXPECT_THAT(Pulled(31, 0, 1), StatusIs(StatusCode::kDataLoss, HasSubstr("broken")));
    disk_->FailReads(absl::OkStatus());
    SYNCLINE_ASSERT_OK(Commit(30));  // whoever comes next has it made
    EXPECT_EQ(shard_->Status().step(), 31u);
  }
  EXPECT_THAT(Pulled(31, 0, 1000), IsOkAndHolds(Each(-2)));
  EXPECT_THAT(Pulled(31, 1000, 3000), IsOkAndHolds(Each(-1)));
}

INSTANTIATE_TEST_SUITE_P(Modes, ShardRowsTest, testing::Values(SYNC, ASYNC),
                         [](const auto& info) { return SyncMode_Name(info.param); });

}  // namespace
}  // namespace syncline
