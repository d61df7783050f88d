#include "server/durability/shard_checkpoints.h"

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <utility>

#include "common/cluster/shard_map.h"
#include "common/io/fault_file_system.h"
#include "common/status/status_matchers.h"
#include "common/table/row_hash.h"
#include "server/durability/checkpoint_folders.h"
#include "server/durability/checkpoint_reader.h"
#include "server/store/chunk_maker.h"
#include "server/store/cold_rows.h"
#include "server/store/memory_cold_pages.h"
#include "server/store/row_chunk.h"
#include "server/store/row_stream.h"
#include "server/store/table_memory.h"
#include "server/store/update_times.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kDirectory[] = "/job/checkpoints";
constexpr uint32_t kSlots = 4;
constexpr size_t kDim = 4;
// A header, a key, two counts, weights.
constexpr uint64_t kRowBytes = 16 + kDim * sizeof(float);

std::string Bytes(const Fragments& fragments) {
  std::string bytes;
  for (const Fragments::Piece& piece : fragments.pieces()) bytes.append(piece.data, piece.size);
  return bytes;
}

// A dense tensor of three chunks, and a table that forgets old rows.
ShardMap Map(size_t shards, uint32_t min_count = 1, double max_age_seconds = 0) {
  TensorSpec dense, rows;
  dense.set_name("dense");
  dense.add_shape(3 * 1024);
  rows.set_name("rows");
  Table* const table = rows.mutable_table();
  table->set_name("rows");
  table->set_dim(kDim);
  table->set_slots(kSlots);
  table->mutable_optimizer()->set_kind(ROW_OPTIMIZER_SGD);
  table->mutable_optimizer()->set_learning_rate(1);
  table->mutable_admission()->set_min_count(min_count);
  table->mutable_eviction()->set_max_age_steps(100);
  table->mutable_eviction()->set_max_age_seconds(max_age_seconds);
  std::vector<std::string> addresses;
  for (size_t i = 0; i < shards; ++i) addresses.push_back("h:" + std::to_string(i + 1));
  return *MakeShardMap({dense, rows}, addresses, 4096, false);
}

// The job's chunks as they are in the shards' memory.
class Model {
 public:
  explicit Model(const ShardMap& map, std::function<double()> seconds = nullptr,
                 std::shared_ptr<TableMemory> memory = nullptr)
      : infos_(Chunks(map)) {
    JobManifest job;
    job.mutable_optimizer()->set_kind(SGD);
    maker_ = *ChunkMaker::Create(job, map, std::move(memory), std::move(seconds));
    for (const ChunkInfo& info : infos_) chunks_.push_back(maker_->Make(info));
  }

  // An update of every slot, with the rows that have these keys.
  void PushRows(const std::vector<uint64_t>& keys) {
    for (size_t i = 0; i < chunks_.size(); ++i) {
      if (!infos_[i].rows) continue;
      std::vector<uint64_t> here;
      for (const uint64_t key : keys) {
        if (SlotOfKey(key, kSlots) == infos_[i].begin) here.push_back(key);
      }
      const std::vector<float> ones(here.size() * kDim, 1);
      const Fragments gradient = Fragments::Of(ones.data(), ones.size() * sizeof(float));
      const Fragments key_bytes = Fragments::Of(here.data(), here.size() * sizeof(uint64_t));
      SYNCLINE_EXPECT_OK(chunks_[i]->rows()->Fetch(here, {}));
      Update(i, {{&gradient, 1, CODEC_NONE, &key_bytes}});
    }
  }
  void PushDense(size_t chunk) {
    const std::vector<float> ones(infos_[chunk].elements, 1);
    const Fragments gradient = Fragments::Of(ones.data(), ones.size() * sizeof(float));
    Update(chunk, {{&gradient}});
  }

  // Rows of all pages but each slot's last go there.
  void Spill(ColdPages* disk) {
    for (const auto& chunk : chunks_) {
      RowChunk* const rows = chunk->rows();
      if (rows == nullptr) continue;
      for (RowPages::Leaving leaving = rows->Leave(); !leaving.pages.empty(); leaving = rows->Leave()) {
        std::vector<uint64_t> places(leaving.pages.size());
        SYNCLINE_ASSERT_OK(disk->Write(leaving.bytes, rows->page_bytes(), places.data()));
        rows->Left(leaving, places);
      }
    }
  }

  ShardSnapshot Snapshot(const ShardMap& map, uint32_t shard) const {
    ShardSnapshot snapshot;
    for (const uint32_t id : OwnedChunks(map, shard)) {
      ChunkContent content = chunks_[id]->content();
      ChunkSnapshot& chunk = snapshot.chunks.emplace_back();
      chunk.chunk = id;
      chunk.version = chunks_[id]->version();
      chunk.weights = std::move(content.weights);
      chunk.state = std::move(content.state);
      chunk.applied = {{0, 1, chunk.version}};
      chunk.erased = std::move(content.erased);
      chunk.cold = std::move(content.cold);
    }
    return snapshot;
  }

  size_t rows() const {
    size_t rows = 0;
    for (const auto& chunk : chunks_) rows += chunk->rows() != nullptr ? chunk->rows()->row_count() : 0;
    return rows;
  }
  // All that is to come back, rows in no order.
  std::map<uint32_t, std::string> Contents() const {
    std::map<uint32_t, std::string> contents;
    for (uint32_t id = 0; id < chunks_.size(); ++id) {
      const ChunkContent content = chunks_[id]->content();
      const auto weights = Load({content.weights, content.cold});
      SYNCLINE_EXPECT_OK(weights.status());
      if (weights.ok()) contents[id] = Describe(id, chunks_[id]->version(), *weights, content.state);
    }
    return contents;
  }
  std::map<uint32_t, std::string> ContentsOf(FileSystem& files, const std::string& folder, const ShardMap& map) const {
    std::map<uint32_t, std::string> contents;
    for (uint32_t shard = 0; shard < static_cast<uint32_t>(map.shards_size()); ++shard) {
      const auto stored = OpenStoredShard(files, folder, map, shard);
      EXPECT_THAT(stored, IsOk());
      if (!stored.ok()) continue;
      for (const uint32_t id : OwnedChunks(map, shard)) {
        const auto chunk = stored->read(id);
        EXPECT_THAT(chunk, IsOk());
        if (chunk.ok()) contents[id] = Describe(id, chunk->version, chunk->weights, chunk->state);
      }
    }
    return contents;
  }

 private:
  void Update(size_t chunk, absl::Span<const Contribution> gradients) {
    UpdateSettings settings;
    settings.learning_rate = 1;
    chunks_[chunk]->Update(gradients, settings);
  }
  std::string Describe(uint32_t id, uint64_t version, const Fragments& weights,
                       const std::vector<Fragments>& state) const {
    std::vector<std::string> parts = {Bytes(weights)};
    if (infos_[id].rows) {
      parts.clear();
      ForEachRow(weights, kRowBytes, [&](const char* row) {
        parts.emplace_back(row, kRowBytes);
        return absl::OkStatus();
      }).IgnoreError();
      std::sort(parts.begin(), parts.end());
    }
    std::string all = std::to_string(version);
    for (const std::string& part : parts) all += part;
    for (const Fragments& one : state) all += Bytes(one);
    return all;
  }

  std::vector<ChunkInfo> infos_;
  std::unique_ptr<const ChunkMaker> maker_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
};

std::vector<uint64_t> Keys(uint64_t begin, uint64_t end) {
  std::vector<uint64_t> keys;
  for (uint64_t key = begin; key < end; ++key) keys.push_back(key);
  return keys;
}

// Takes checkpoints of the model as a coordinator and its shards do.
class ShardCheckpointsTest : public testing::Test {
 protected:
  absl::StatusOr<CheckpointManifest> Written(uint64_t step) {
    CheckpointManifest manifest;
    manifest.set_format(kCheckpointFormat);
    manifest.set_step(step);
    *manifest.mutable_map() = map_;
    if (const absl::Status status = BeginCheckpoint(files_, kDirectory, step); !status.ok()) return status;
    for (uint32_t shard = 0; shard < static_cast<uint32_t>(map_.shards_size()); ++shard) {
      const auto written = shards_[shard]->Write({PartialCheckpointFolder(kDirectory, step), latest_, shard, map_},
                                                 model_.Snapshot(map_, shard));
      if (!written.ok()) return written.status();
      for (const CheckpointFile& file : *written) *manifest.add_files() = file;
    }
    return manifest;
  }
  absl::Status Commit(const CheckpointManifest& manifest, uint32_t keep = 3) {
    const auto folder = CommitCheckpoint(files_, kDirectory, manifest, keep);
    if (folder.ok()) latest_ = *folder;
    return folder.status();
  }
  absl::Status Take(uint64_t step, uint32_t keep = 3) {
    auto manifest = Written(step);
    if (!manifest.ok()) return manifest.status();
    manifest_ = *std::move(manifest);
    return Commit(manifest_, keep);
  }
  uint64_t BytesThat(bool linked) const {
    uint64_t bytes = 0;
    for (const CheckpointFile& file : manifest_.files()) bytes += file.linked() == linked ? file.bytes() : 0;
    return bytes;
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const CheckpointFile& file : manifest_.files()) names.push_back(file.name());
    return names;
  }
  void ExpectLatestIsTheModel() {
    EXPECT_EQ(model_.ContentsOf(files_, latest_, map_), model_.Contents()) << latest_;
    EXPECT_THAT(VerifyCheckpoint(files_, latest_), IsOk());
  }
  void Restart() {
    for (auto& shard : shards_) shard = std::make_unique<ShardCheckpoints>(&files_);
  }

  // Links, or has none.
  class Files : public FaultFileSystem {
   public:
    absl::Status Link(const std::string& from, const std::string& to) override {
      return no_links ? absl::UnimplementedError("no links") : FaultFileSystem::Link(from, to);
    }
    bool no_links = false;
  };

  Files files_;
  ShardMap map_ = Map(1);
  Model model_{map_};
  std::vector<std::unique_ptr<ShardCheckpoints>> shards_ = [this] {
    std::vector<std::unique_ptr<ShardCheckpoints>> shards;
    for (int i = 0; i < 3; ++i) shards.push_back(std::make_unique<ShardCheckpoints>(&files_));
    return shards;
  }();
  std::string latest_;
  CheckpointManifest manifest_;
};

TEST_F(ShardCheckpointsTest, WhatDidNotChangeIsLinkedAndOfRowsThoseThatChangedAreWritten) {
  model_.PushRows(Keys(0, 20000));
  SYNCLINE_ASSERT_OK(Take(1));
  const std::string first = latest_;
  const auto before = model_.Contents();
  const uint64_t whole = BytesThat(false);
  EXPECT_EQ(BytesThat(true), 0u);
  model_.PushRows(Keys(100, 300));
  SYNCLINE_ASSERT_OK(Take(2));
  EXPECT_LT(BytesThat(false), 200 * kRowBytes + 4000) << "1 % of the rows, and headers";
  EXPECT_EQ(BytesThat(true), whole);
  EXPECT_THAT(Names(), ElementsAre("shard-00000.safetensors", "shard-00000.1.safetensors", "rows-00000.safetensors",
                                   "rows-00000.1.safetensors"));
  ExpectLatestIsTheModel();
  EXPECT_EQ(model_.ContentsOf(files_, first, map_), before);

  model_.PushRows({});
  SYNCLINE_ASSERT_OK(Take(3, 1));
  EXPECT_LT(BytesThat(false), 3000u) << "no row has changed, only the slots' versions";
  ExpectLatestIsTheModel();
  EXPECT_THAT(files_.List(kDirectory), IsOkAndHolds(ElementsAre("step-0000000003"))) << "and has all that it needs";

  for (size_t chunk = 0; chunk < 3; ++chunk) model_.PushDense(chunk);
  SYNCLINE_ASSERT_OK(Take(4, 1));
  EXPECT_EQ(Names()[0], "shard-00000.safetensors") << "nothing of the old one is needed";
  EXPECT_GT(BytesThat(false), 3 * 4096u);
  ExpectLatestIsTheModel();
}

TEST_F(ShardCheckpointsTest, ChainsStayShortAndRight) {
  std::mt19937 random(7);
  size_t most = 0;
  for (uint64_t step = 1; step <= 80; ++step) {
    // Few keys, so that rows are erased, for their age, and come again.
    for (int update = 0; update < 9; ++update) {
      std::vector<uint64_t> keys = Keys(random() % 500, 500 + random() % 20);
      std::shuffle(keys.begin(), keys.end(), random);
      keys.resize(1 + random() % 10);
      model_.PushRows(keys);
    }
    if (random() % 3 == 0) model_.PushDense(random() % 3);
    if (step % 10 == 3) {  // one that comes to nothing
      SYNCLINE_ASSERT_OK(Written(step).status());
      model_.PushRows({1, 2, 3});
    }
    if (step % 17 == 0) Restart();
    SYNCLINE_ASSERT_OK(Take(step, 1));
    SCOPED_TRACE(testing::Message() << "step " << step << ", " << model_.rows() << " rows");
    ExpectLatestIsTheModel();
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto names, files_.List(latest_));
    EXPECT_EQ(names.size(), 2 + static_cast<size_t>(manifest_.files_size())) << "nothing that nobody needs";
    most = std::max(most, static_cast<size_t>(manifest_.files_size()));
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(most, 8u);
  EXPECT_LE(most, 2 * kMostLayers);
}

TEST_F(ShardCheckpointsTest, WhatWaitsForAdmissionIsKept) {
  map_ = Map(1, 2);
  model_ = Model(map_);
  model_.PushRows(Keys(0, 100));
  SYNCLINE_ASSERT_OK(Take(1));
  model_.PushRows(Keys(50, 60));
  model_.PushRows(Keys(500, 510));
  EXPECT_EQ(model_.rows(), 10u);
  SYNCLINE_ASSERT_OK(Take(2));
  ExpectLatestIsTheModel();
  model_.PushRows({});
  SYNCLINE_ASSERT_OK(Take(3));
  EXPECT_LT(BytesThat(false), 3000u) << "nobody was counted";
  ExpectLatestIsTheModel();
}

TEST_F(ShardCheckpointsTest, AgesOfUpdatesAreKept) {
  for (const uint32_t min_count : {1, 2}) {
    double now = 0;
    map_ = Map(1, min_count, 320);
    model_ = Model(map_, [&now] { return now; });
    Restart();
    latest_.clear();
    for (int update = 0; update < 3; ++update) {
      model_.PushRows(Keys(0, 100));
      SYNCLINE_ASSERT_OK(Take(10 * min_count + update));
      ExpectLatestIsTheModel();
      now += 100;
    }
    model_.PushRows({});
    SYNCLINE_ASSERT_OK(Take(10 * min_count + 3));
    EXPECT_LT(BytesThat(false), 4000 + (min_count - 1) * kSlots * (size_t{1} << 16)) << "no row has changed";
    ExpectLatestIsTheModel();
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto stored, OpenStoredShard(files_, latest_, map_, 0));
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const ChunkSnapshot slot, stored.read(3));
    ASSERT_EQ(slot.state.size(), 2u);
    UpdateTimes times(320);
    SYNCLINE_ASSERT_OK(times.Restore(slot.state[1], 0));
    EXPECT_EQ(times.Expired(19), 0u);
    EXPECT_EQ(times.Expired(20), 1u);
  }
}

// Whichever read of the disk that rows are on fails.
TEST_F(ShardCheckpointsTest, RowsThatCannotBeReadEndACheckpointAndTheNextGoesWell) {
  const auto disk = std::make_shared<MemoryColdPages>();
  map_ = Map(1);
  model_ = Model(map_, nullptr, std::make_shared<TableMemory>(0, disk));
  model_.PushRows(Keys(0, 20000));
  model_.Spill(disk.get());
  uint64_t step = 0;
  for (const bool incremental : {false, true}) {
    const std::string before = latest_;
    absl::Status taken = absl::UnknownError("not yet");
    uint64_t failed = 0;
    while (!taken.ok()) {
      disk->FailOneRead(failed + 1, absl::DataLossError("broken"));
      taken = Take(++step);
      if (taken.ok()) break;
      EXPECT_THAT(taken, StatusIs(StatusCode::kDataLoss, HasSubstr("broken")));
      EXPECT_THAT(LatestCheckpoint(files_, kDirectory).value_or(""), before);
      ++failed;
    }
    disk->FailOneRead(0, absl::OkStatus());
    EXPECT_EQ(failed, incremental ? 2 * kSlots : kSlots) << "rows are gone through once, or twice for what changed";
    ExpectLatestIsTheModel();
    EXPECT_EQ(BytesThat(true) > 0, incremental);
    EXPECT_LT(BytesThat(false), (incremental ? 6000 : 20000) * kRowBytes + 20000);
    model_.PushRows(Keys(100, 6100));
    model_.Spill(disk.get());
  }
}

// Whichever change of the file system is the last before the power fails.
TEST_F(ShardCheckpointsTest, ACrashAtAnyChangeLeavesAWholeCheckpoint) {
  bool written = false;
  for (uint64_t n = 1; !written; ++n) {
    SCOPED_TRACE(testing::Message() << "power failure at change " << n);
    model_.PushRows(Keys(n, n + 100));
    SYNCLINE_ASSERT_OK(Take(10 * n));
    const auto before = model_.Contents();
    const std::string older = latest_;
    model_.PushRows({n});
    const uint64_t changes = files_.changes();
    files_.FailAt(n, absl::InternalError("power failure"));
    Take(10 * n + 1, 1).IgnoreError();
    written = files_.changes() - changes < n;
    files_.Crash();
    SYNCLINE_ASSERT_OK_AND_ASSIGN(latest_, LatestCheckpoint(files_, kDirectory));
    EXPECT_EQ(model_.ContentsOf(files_, latest_, map_), latest_ == older ? before : model_.Contents());
    // The shards live on, and the next one is whole whatever became of that.
    SYNCLINE_ASSERT_OK(Take(10 * n + 2, 1));
    ExpectLatestIsTheModel();
  }
}

TEST_F(ShardCheckpointsTest, WithoutLinksAllIsWrittenAndNothingOfTheOldTouched) {
  model_.PushRows(Keys(0, 1000));
  SYNCLINE_ASSERT_OK(Take(1));
  const std::string first = latest_;
  const auto before = model_.Contents();
  model_.PushRows({5});
  files_.no_links = true;
  SYNCLINE_ASSERT_OK(Take(2));
  EXPECT_EQ(BytesThat(true), 0u);
  ExpectLatestIsTheModel();
  // In the same folder once with links and once without: the links' files must not be emptied.
  files_.no_links = false;
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const CheckpointManifest linked, Written(3));
  Restart();
  SYNCLINE_ASSERT_OK(shards_[0]
                         ->Write({PartialCheckpointFolder(kDirectory, 3), latest_, 0, map_}, model_.Snapshot(map_, 0))
                         .status());
  EXPECT_GT(linked.files_size(), 2);
  EXPECT_EQ(model_.ContentsOf(files_, first, map_), before);
  ExpectLatestIsTheModel();
}

// A coordinator that got no answer asks once more, and may have given the first one's up long ago.
TEST_F(ShardCheckpointsTest, AskedAgainItSaysTheSame) {
  model_.PushRows(Keys(0, 100));
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const CheckpointManifest first, Written(1));
  model_.PushRows(Keys(0, 100));
  SYNCLINE_ASSERT_OK_AND_ASSIGN(
      const auto again,
      shards_[0]->Write({PartialCheckpointFolder(kDirectory, 1), "", 0, map_}, model_.Snapshot(map_, 0)));
  ASSERT_EQ(again.size(), static_cast<size_t>(first.files_size()));
  for (size_t i = 0; i < again.size(); ++i) {
    EXPECT_EQ(again[i].DebugString(), first.files(static_cast<int>(i)).DebugString());
  }
}

TEST_F(ShardCheckpointsTest, WhatIsOfAnotherShardIsNotBuiltUpon) {
  const auto one = std::make_shared<int>(), other = std::make_shared<int>();
  model_.PushRows(Keys(0, 100));
  CheckpointManifest manifest;
  manifest.set_format(kCheckpointFormat);
  *manifest.mutable_map() = map_;
  ShardCheckpoints& shard = *shards_[0];
  for (const uint64_t step : {1, 2, 3}) {
    manifest.set_step(step);
    SYNCLINE_ASSERT_OK(BeginCheckpoint(files_, kDirectory, step));
    const std::shared_ptr<const void> of = step < 3 ? one : other;
    SYNCLINE_ASSERT_OK_AND_ASSIGN(
        const auto files, shard.Write({PartialCheckpointFolder(kDirectory, step), latest_, 0, map_, of},
                                      model_.Snapshot(map_, 0)));
    manifest.mutable_files()->Assign(files.begin(), files.end());
    EXPECT_EQ(files.size(), step == 2 ? 4u : 2u) << step;
    SYNCLINE_ASSERT_OK(Commit(manifest));
  }
}

TEST_F(ShardCheckpointsTest, ChunksThatMoveAreWrittenByTheirNewOwner) {
  map_ = Map(3);
  model_.PushRows(Keys(0, 1000));
  SYNCLINE_ASSERT_OK(Take(1));
  model_.PushRows({1, 2, 3});
  SYNCLINE_ASSERT_OK(Take(2));
  ExpectLatestIsTheModel();
  // The first shard goes, so the others have new numbers, and its chunks.
  ShardMap two = map_;
  two.mutable_shards()->DeleteSubrange(0, 1);
  for (auto& owner : *two.mutable_owner()) owner = owner == 0 ? 1 : owner - 1;
  map_ = two;
  shards_.erase(shards_.begin());
  model_.PushRows({4, 5});
  SYNCLINE_ASSERT_OK(Take(3, 1));
  EXPECT_GT(BytesThat(true), 0u);
  ExpectLatestIsTheModel();
  EXPECT_EQ(model_.ContentsOf(files_, latest_, Map(1)), model_.Contents()) << "restored by one";
}

TEST_F(ShardCheckpointsTest, WhatIsMissingOrBrokenBelowIsNamed) {
  model_.PushRows(Keys(0, 1000));
  SYNCLINE_ASSERT_OK(Take(1));
  model_.PushRows({1, 2, 3});
  SYNCLINE_ASSERT_OK(Take(2));
  const std::string base = latest_ + "/rows-00000.safetensors";
  SYNCLINE_ASSERT_OK_AND_ASSIGN(std::string bytes, ReadFile(files_, base));
  SYNCLINE_ASSERT_OK(files_.RemoveFile(base));
  EXPECT_THAT(VerifyCheckpoint(files_, latest_).status(),
              StatusIs(StatusCode::kDataLoss, HasSubstr(base + ": is missing")));
  bytes[bytes.size() / 2] ^= 1;
  SYNCLINE_ASSERT_OK(WriteFileAtomically(files_, base, bytes));
  EXPECT_THAT(VerifyCheckpoint(files_, latest_).status(), StatusIs(StatusCode::kDataLoss, HasSubstr(base)));

  // A manifest that does not name what the others rest on.
  CheckpointManifest manifest = manifest_;
  manifest.mutable_files()->erase(std::find_if(manifest.files().begin(), manifest.files().end(), [](const auto& file) {
    return file.name() == "rows-00000.safetensors";
  }));
  SYNCLINE_ASSERT_OK(BeginCheckpoint(files_, kDirectory, 3));
  for (const CheckpointFile& file : manifest.files()) {
    const std::string to = PartialCheckpointFolder(kDirectory, 3) + "/" + file.name();
    SYNCLINE_ASSERT_OK(files_.Link(latest_ + "/" + file.name(), to));
  }
  manifest.set_step(3);
  SYNCLINE_ASSERT_OK(Commit(manifest));
  EXPECT_THAT(VerifyCheckpoint(files_, latest_).status(),
              StatusIs(StatusCode::kDataLoss, HasSubstr("rows-00000.safetensors is not among its files")));
}

}  // namespace
}  // namespace syncline
