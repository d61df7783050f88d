#include "server/service/lent_rows.h"

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "common/tensor/keys.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;

// A shard with a tensor of two floats and a table of one slot, rows of two floats, which the block lent to it has two
// of: keys at 0, places at 16, floats at 32.
class LentRowsTest : public testing::Test {
 protected:
  void Start(SyncMode mode) {
    ShardOptions options;
    options.job.set_sync_mode(mode);
    options.map.set_epoch(1);
    options.map.set_chunk_bytes(4096);
    TensorSpec* const dense = options.map.add_tensors();
    dense->set_name("w");
    dense->add_shape(2);
    TensorSpec* const table = options.map.add_tensors();
    table->set_name("rows");
    table->mutable_table()->set_name("rows");
    table->mutable_table()->set_dim(2);
    table->mutable_table()->set_slots(1);
    for (int chunk = 0; chunk < 2; ++chunk) options.map.add_owner(0);
    options.map.add_shards("localhost:1");
    shard_ = *Shard::Create(std::move(options));
    const std::string name = absl::StrCat("test-", absl::BytesToHexString(RandomToken(8)));
    const LocalSocket listener = *LocalSocket::Listen(name);
    worker_ = *LocalSocket::Connect(name);
    link_ = std::make_shared<WorkerLink>(*listener.Accept(), Sender());
    link_->AddBlock(memory_);
    const uint64_t keys[] = {7, 9};
    const uint32_t places[] = {1, 0};
    std::memcpy(memory_->data(), keys, sizeof(keys));
    std::memcpy(memory_->data() + 16, places, sizeof(places));
    rows_.set_count(2);
    rows_.set_segment(1);
    rows_.set_places(16);
    rows_.set_data_segment(1);
    rows_.set_data(32);
    rows_.set_room(2);
  }
  absl::StatusOr<std::vector<ChunkGradient>> Push() {
    PushHeader header;
    *header.add_rows() = rows_;
    return ReadLentGradients(header, {{1, 5, {}}}, *shard_, nullptr, link_.get());
  }
  absl::StatusOr<LentTargets> Pull(const std::function<void(LentRows*)>& change = [](LentRows*) {}) {
    PullRequest pull;
    pull.add_chunks(1);
    *pull.add_rows() = rows_;
    change(pull.mutable_rows(0));
    return FindLentTargets(pull, *shard_, link_.get());
  }

  const std::shared_ptr<SharedMemory> memory_ = *SharedMemory::Create(4096);
  std::unique_ptr<Shard> shard_;
  LocalSocket worker_;
  std::shared_ptr<WorkerLink> link_;
  LentRows rows_;
};

TEST_F(LentRowsTest, KeysOfAPushAreCopiedAndGradientsIfTheyAreKept) {
  for (const SyncMode mode : {ASYNC, SYNC}) {
    Start(mode);
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto gradients, Push());
    ASSERT_EQ(gradients.size(), 1u);
    EXPECT_EQ(gradients[0].version, 5u);
    EXPECT_NE(gradients[0].keys.pieces()[0].data, memory_->data());
    EXPECT_THAT(Keys(gradients[0].keys).get(), ElementsAre(7, 9));
    EXPECT_EQ(gradients[0].data.size(), 16u);
    // The link's own mapping of the block is this process's.
    EXPECT_EQ(gradients[0].data.pieces()[0].data == memory_->data() + 32, mode == ASYNC);
  }
}

TEST_F(LentRowsTest, RowsOfAPullGoToTheirPlaces) {
  Start(ASYNC);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const LentTargets found, Pull());
  EXPECT_EQ(found.bytes, 16u);
  auto* const floats = reinterpret_cast<float*>(memory_->data() + 32);
  EXPECT_EQ(found.to[0].At(0, 2), floats + 2);
  EXPECT_EQ(found.to[0].At(1, 2), floats);
  EXPECT_TRUE(found.to[0].Fits(2));
  const uint32_t beyond = 1000;
  std::memcpy(memory_->data() + 16, &beyond, sizeof(beyond));
  EXPECT_FALSE(found.to[0].Fits(2));
  EXPECT_EQ(found.to[0].At(0, 2), floats + 2) << "never out of the room, whatever comes there later";
}

TEST_F(LentRowsTest, RefusesWhatIsNotThere) {
  Start(ASYNC);
  const auto refused = [&](const char* what, const std::function<void(LentRows*)>& change) {
    EXPECT_THAT(Pull(change).status(), StatusIs(StatusCode::kInvalidArgument, HasSubstr(what)));
  };
  refused("rows.keys: 4 is no multiple of 8", [](LentRows* rows) { rows->set_keys(4); });
  refused("segment: there is no 2", [](LentRows* rows) { rows->set_segment(2); });
  refused("offset: 16 bytes at 4088", [](LentRows* rows) { rows->set_keys(4088); });
  refused("offset: 8 bytes at 4092", [](LentRows* rows) { rows->set_places(4092); });
  refused("offset: 8000 bytes", [](LentRows* rows) { rows->set_room(1000); });
  refused("rows.room: 0", [](LentRows* rows) { rows->set_room(0); });
  PullRequest pull;
  pull.add_chunks(0);
  *pull.add_rows() = rows_;
  EXPECT_THAT(FindLentTargets(pull, *shard_, link_.get()).status(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("is not a slot of a table")));
  pull.add_chunks(1);
  EXPECT_THAT(FindLentTargets(pull, *shard_, link_.get()).status(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("rows: 1 for 2 chunks")));
  EXPECT_THAT(FindLentTargets(pull, *shard_, nullptr).status(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("local link only")));
}

}  // namespace
}  // namespace syncline
