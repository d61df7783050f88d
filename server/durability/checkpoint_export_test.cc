#include <cstring>
#include <map>

#include "common/io/fault_file_system.h"
#include "common/io/safetensors.h"
#include "common/status/status_matchers.h"
#include "server/durability/checkpoint_reader.h"
#include "server/durability/checkpoint_samples.h"
#include "server/store/table_format.h"

namespace syncline {
namespace {

constexpr uint32_t kDim = 3, kSlots = 5;

// Two tensors and a table stored as int8 with Adagrad's state, by two shards. Of slot s, s rows: keys 10 s, 10 s + 1,
// ...; their weights are twice the slot.
ShardMap MapWithTable() {
  const ShardMap dense = SampleMap(1);
  std::vector<TensorSpec> tensors(dense.tensors().begin(), dense.tensors().end());
  TensorSpec items;
  items.set_name("items");
  items.mutable_table()->set_dim(kDim);
  items.mutable_table()->set_slots(kSlots);
  items.mutable_table()->set_storage(ROW_STORAGE_INT8);
  items.mutable_table()->mutable_optimizer()->set_kind(ROW_OPTIMIZER_ADAGRAD);
  items.mutable_table()->mutable_optimizer()->set_learning_rate(1);
  tensors.push_back(items);
  return *MakeShardMap(tensors, std::vector<std::string>{"a:1", "b:2"}, 4096, false);
}

Fragments Rows(const Table& table, uint64_t slot) {
  const RowFormat format = *FormatOf(table);
  const auto bytes = std::make_shared<std::string>();
  const std::vector<float> weights(kDim, 2.0f * static_cast<float>(slot));
  for (uint64_t i = 0; i < slot; ++i) {
    std::string row(format.stride(), '\0');
    RowFormat::SetKey(10 * slot + i, row.data());
    format.WriteWeights(weights.data(), row.data());
    *bytes += row;
  }
  return Fragments::Of(bytes->data(), bytes->size(), bytes);
}

std::string WriteWithTable(FileSystem& files) {
  const ShardMap map = MapWithTable();
  CheckpointManifest manifest = SampleManifest(map, 42);
  SYNCLINE_EXPECT_OK(BeginCheckpoint(files, "/c", 42));
  for (uint32_t shard = 0; shard < 2; ++shard) {
    ShardSnapshot snapshot;
    snapshot.step = 42;
    for (const uint32_t id : OwnedChunks(map, shard)) {
      const ChunkInfo info = Chunks(map)[id];
      if (info.rows) {
        ChunkSnapshot& slot = snapshot.chunks.emplace_back();
        slot.chunk = id;
        slot.version = 1;
        slot.weights = Rows(map.tensors(2).table(), info.begin);
      } else {
        snapshot.chunks.push_back(SampleChunk(info));
      }
    }
    const auto written = ShardCheckpoints(&files).Write({PartialCheckpointFolder("/c", 42), "", shard, map}, snapshot);
    SYNCLINE_EXPECT_OK(written.status());
    for (const CheckpointFile& file : *written) *manifest.add_files() = file;
  }
  return *CommitCheckpoint(files, "/c", manifest, 3);
}

template <typename T>
std::vector<T> Read(const SafetensorsReader& file, const std::string& name) {
  const SafetensorsTensor* const tensor = file.Find(name);
  if (tensor == nullptr) return {};
  std::vector<T> values(tensor->bytes() / sizeof(T));
  SYNCLINE_EXPECT_OK(file.Read(*tensor, 0, tensor->bytes(), reinterpret_cast<char*>(values.data())));
  return values;
}

TEST(CheckpointExportTest, PartsTogetherHoldEverythingOnce) {
  FaultFileSystem files;
  const std::string folder = WriteWithTable(files);
  for (const uint32_t parts : {1u, 2u, 4u, 0u}) {
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto written, ExportCheckpoint(files, folder, "/c/w.safetensors", parts));
    ASSERT_EQ(written.size(), parts == 0 ? 2u : parts);
    std::map<uint64_t, std::vector<float>> rows;
    int whole = 0, small = 0;
    for (const std::string& path : written) {
      SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto file, SafetensorsReader::Open(files, path));
      EXPECT_EQ(file->metadata().at("step"), "42");
      const std::vector<float> a = Read<float>(*file, "a"), weights = Read<float>(*file, "items.rows");
      const std::vector<uint64_t> keys = Read<uint64_t>(*file, "items.keys");
      whole += a.size() == 1200 && a[0] == 0 && a[1199] == 1175;
      small += Read<float>(*file, "b").size() == 3;
      ASSERT_EQ(weights.size(), keys.size() * kDim);
      for (size_t i = 0; i < keys.size(); ++i) {
        const auto row = weights.begin() + static_cast<ptrdiff_t>(i * kDim);
        EXPECT_TRUE(rows.emplace(keys[i], std::vector<float>(row, row + kDim)).second) << keys[i];
      }
    }
    EXPECT_EQ(whole, 1);
    EXPECT_EQ(small, 1);
    EXPECT_EQ(rows.size(), 0u + 1 + 2 + 3 + 4);
    for (const auto& [key, row] : rows) EXPECT_THAT(row, testing::Each(2.0f * static_cast<float>(key / 10)));
  }
}

TEST(CheckpointExportTest, FilesAreNumbered) {
  EXPECT_EQ(ExportedFile("w.safetensors", 0, 1), "w.safetensors");
  EXPECT_EQ(ExportedFile("w.safetensors", 0, 3), "w-00001-of-00003.safetensors");
  EXPECT_EQ(ExportedFile("weights", 2, 3), "weights-00003-of-00003");
}

TEST(CheckpointExportTest, RefusesMorePartsThanAnybodyNeeds) {
  FaultFileSystem files;
  EXPECT_THAT(ExportCheckpoint(files, WriteWithTable(files), "/c/w", 5000),
              StatusIs(absl::StatusCode::kInvalidArgument, testing::HasSubstr("--parts is 5000")));
}

}  // namespace
}  // namespace syncline
