// What a checkpoint writes when it goes on from the last one: a shard with a table of a million rows (16 floats,
// row-wise Adagrad), of which one in a hundred is touched in between. And how long it takes to restore from two files.
//
//   incremental_checkpoint_bench [TABLE_MEMORY FOLDER]
//
// With TABLE_MEMORY bytes in memory and the other rows in FOLDER, on a local disk.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/cluster/shard_map.h"
#include "common/hash/mix.h"
#include "common/io/posix_file_system.h"
#include "common/table/row_partition.h"
#include "server/durability/checkpoint_folders.h"
#include "server/durability/checkpoint_names.h"
#include "server/durability/checkpoint_reader.h"
#include "server/durability/shard_checkpoints.h"
#include "server/shard/shard.h"
#include "server/spill/spill_file.h"
#include "server/store/table_memory.h"
#include "tests/bench/measure.h"

namespace syncline {
namespace {

constexpr uint64_t kRows = 1000000;
constexpr uint64_t kTouched = kRows / 100;
constexpr uint32_t kDim = 16;
constexpr uint32_t kSlots = 256;

template <typename T>
T Must(absl::StatusOr<T> result) {
  if (result.ok()) return *std::move(result);
  std::fprintf(stderr, "%s\n", std::string(result.status().message()).c_str());
  std::exit(1);
}
void Must(const absl::Status& status) { Must(status.ok() ? absl::StatusOr<int>(0) : status); }

ShardOptions Options(std::shared_ptr<TableMemory> memory = nullptr) {
  TensorSpec rows;
  rows.set_name("rows");
  Table* const table = rows.mutable_table();
  table->set_name("rows");
  table->set_dim(kDim);
  table->set_slots(kSlots);
  table->mutable_optimizer()->set_kind(ROW_OPTIMIZER_ROWWISE_ADAGRAD);
  table->mutable_optimizer()->set_learning_rate(0.01);
  ShardOptions options;
  options.table_memory = std::move(memory);
  options.job.set_sync_mode(ASYNC);
  options.job.mutable_optimizer()->set_kind(SGD);
  options.map = Must(MakeShardMap({rows}, {"h:1"}, 1 << 20, false));
  return options;
}

class Training {
 public:
  explicit Training(std::shared_ptr<TableMemory> memory)
      : map_(Options().map), shard_(Must(Shard::Create(Options(std::move(memory))))) {
    UpdateMemberRequest admit;
    admit.set_action(UpdateMemberRequest::ADMIT);
    admit.set_incarnation(1);
    Must(shard_->UpdateMember(admit).status());
    sender_.set_incarnation(1);
    sender_.set_map_epoch(map_.epoch());
  }

  void Push(const std::vector<uint64_t>& keys) {
    const RowPartition slots(keys, kSlots);
    const std::vector<float> ones(keys.size() * kDim, 1);
    std::vector<ChunkGradient> gradients(kSlots);
    for (uint32_t slot = 0; slot < kSlots; ++slot) {
      const auto here = slots.keys(slot);
      gradients[slot].chunk = slot;
      gradients[slot].data = Fragments::Of(ones.data(), here.size() * kDim * sizeof(float));
      gradients[slot].keys = Fragments::Of(here.data(), here.size() * sizeof(uint64_t));
    }
    Must(shard_->Push(sender_, clock_++, gradients).status());
  }

  // Bytes that were written, and linked.
  std::pair<uint64_t, uint64_t> Checkpoint(const std::string& directory, uint64_t step) {
    absl::StatusOr<ShardSnapshot> snapshot = absl::UnknownError("none");
    shard_->SnapshotAt(step, [&](auto taken) { snapshot = std::move(taken); });
    CheckpointManifest manifest;
    manifest.set_format(kCheckpointFormat);
    manifest.set_step(step);
    *manifest.mutable_map() = map_;
    Must(BeginCheckpoint(PosixFileSystem(), directory, step));
    std::pair<uint64_t, uint64_t> bytes;
    for (const CheckpointFile& file : Must(checkpoints_.Write(
             {PartialCheckpointFolder(directory, step), latest_, 0, map_}, Must(std::move(snapshot))))) {
      (file.linked() ? bytes.second : bytes.first) += file.bytes();
      *manifest.add_files() = file;
    }
    latest_ = Must(CommitCheckpoint(PosixFileSystem(), directory, manifest, 3));
    return bytes;
  }

  void RestoreLatest() {
    const auto shard = Must(Shard::Create(Options()));
    Must(shard->Restore(Must(OpenStoredShard(PosixFileSystem(), latest_, map_, 0))));
  }

 private:
  const ShardMap map_;
  const std::unique_ptr<Shard> shard_;
  Sender sender_;
  Clock clock_ = 0;
  ShardCheckpoints checkpoints_{&PosixFileSystem()};
  std::string latest_;
};

void Report(const char* name, double value, const char* unit, double reference, double at_most) {
  std::printf("{\"group\": \"incremental_checkpoint\", \"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", "
              "\"reference\": %.6g, \"ratio\": %.4g, \"at_most\": %g}\n",
              name, value, unit, reference, value / reference, at_most);
}

int Main(std::shared_ptr<TableMemory> memory) {
  const std::string directory = std::filesystem::temp_directory_path() / "syncline_incremental_checkpoint_bench";
  std::filesystem::remove_all(directory);
  Training training(memory);
  std::vector<uint64_t> keys;
  for (uint64_t i = 0; i < kRows; ++i) keys.push_back(Mix(i));
  training.Push(keys);
  std::pair<uint64_t, uint64_t> whole, part;
  const double first = Seconds([&] { whole = training.Checkpoint(directory, 1); });
  training.RestoreLatest();  // so that memory is ready for the others
  const double restored = Seconds([&] { training.RestoreLatest(); });
  training.Push({keys.begin(), keys.begin() + kTouched});
  const double second = Seconds([&] { part = training.Checkpoint(directory, 2); });
  const double merged = Seconds([&] { training.RestoreLatest(); });
  const auto cold = memory == nullptr ? 0 : memory->cold_rows.load();
  std::filesystem::remove_all(directory);
  const auto bytes = [](uint64_t count) { return static_cast<double>(count); };
  Report("bytes written after 1 % of a million rows was touched, to all", bytes(part.first), "bytes",
         bytes(whole.first), 0.02);
  Report("bytes linked, to all", bytes(part.second), "bytes", bytes(whole.first), 1);
  Report("rows on disk, of all", bytes(cold), "rows", bytes(kRows), 1);
  Report("time to write all", first, "s", first, 1);
  Report("time to write them, to that for all", second, "s", first, 1);
  Report("time to restore both, to that for all in one", merged, "s", restored, 1.5);
  return 0;
}

}  // namespace
}  // namespace syncline

int main(int argc, char** argv) {
  using namespace syncline;
  if (argc < 3) return Main(nullptr);
  return Main(std::make_shared<TableMemory>(std::strtoull(argv[1], nullptr, 10), Must(SpillFile::Create(argv[2]))));
}
