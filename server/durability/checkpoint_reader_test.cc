#include "server/durability/checkpoint_reader.h"

#include <cstdlib>
#include <cstring>
#include <map>

#include "common/io/fault_file_system.h"
#include "common/io/posix_file_system.h"
#include "common/status/status_matchers.h"
#include "common/io/safetensors.h"
#include "server/durability/checkpoint_manifest.h"
#include "server/durability/checkpoint_samples.h"

namespace syncline {
namespace {

using ::testing::HasSubstr;

std::string TempFolder(const std::string& name) {
  return std::string(std::getenv("TEST_TMPDIR")) + "/" + name;
}

std::string Bytes(const Fragments& fragments) {
  std::string bytes;
  for (const Fragments::Piece& piece : fragments.pieces()) bytes.append(piece.data, piece.size);
  return bytes;
}

void ExpectEqual(const ChunkSnapshot& a, const ChunkSnapshot& b) {
  EXPECT_EQ(a.version, b.version);
  EXPECT_EQ(Bytes(a.weights), Bytes(b.weights));
  ASSERT_EQ(a.state.size(), b.state.size());
  for (size_t i = 0; i < a.state.size(); ++i) EXPECT_EQ(Bytes(a.state[i]), Bytes(b.state[i]));
  ASSERT_EQ(a.applied.size(), b.applied.size());
  for (size_t i = 0; i < a.applied.size(); ++i) {
    EXPECT_EQ(a.applied[i].rank, b.applied[i].rank);
    EXPECT_EQ(a.applied[i].incarnation, b.applied[i].incarnation);
    EXPECT_EQ(a.applied[i].next, b.applied[i].next);
  }
}

// All that is stored for a shard, read at once.
absl::StatusOr<ShardSnapshot> ReadShard(FileSystem& files, const std::string& folder, const ShardMap& map,
                                        uint32_t shard) {
  const auto stored = OpenStoredShard(files, folder, map, shard);
  if (!stored.ok()) return stored.status();
  ShardSnapshot snapshot;
  snapshot.step = stored->step;
  snapshot.workers = stored->workers;
  for (const uint32_t chunk : HeldChunks(map, shard)) {
    auto read = stored->read(chunk);
    if (!read.ok()) return read.status();
    snapshot.chunks.push_back(*std::move(read));
  }
  return snapshot;
}

TEST(CheckpointReaderTest, WhatTwoShardsWroteThreeRead) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const std::string folder,
                                WriteSample(PosixFileSystem(), TempFolder("round/trip"), 2, 42));
  const ShardMap map = SampleMap(3);
  const std::vector<ChunkInfo> infos = Chunks(map);
  size_t chunks = 0;
  for (uint32_t shard = 0; shard < 3; ++shard) {
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const ShardSnapshot snapshot,
                                  ReadShard(PosixFileSystem(), folder, map, shard));
    EXPECT_EQ(snapshot.step, 42u);
    EXPECT_EQ(snapshot.chunks.size(), 1u);
    for (const ChunkSnapshot& chunk : snapshot.chunks) {
      EXPECT_EQ(map.owner(static_cast<int>(chunk.chunk)), shard);
      ExpectEqual(chunk, SampleChunk(infos[chunk.chunk]));
      ++chunks;
    }
  }
  EXPECT_EQ(chunks, infos.size());
}

// What worker 3 carries of the sample's chunks.
std::shared_ptr<const WorkerState> SampleWorker(const ShardMap& map, uint32_t shard) {
  auto worker = std::make_shared<WorkerState>();
  worker->rank = 3;
  worker->clock = 42;
  worker->updates = 17;
  for (const ChunkInfo& chunk : Chunks(map)) {
    if (map.owner(static_cast<int>(chunk.id)) != shard) continue;
    for (const uint32_t slot : {0u, 2u}) {
      worker->slots[{chunk.id, slot}] = SampleFloats(chunk, static_cast<float>(slot) + 0.25f);
    }
  }
  return worker;
}

TEST(CheckpointReaderTest, WhatWorkersCarryComesBackOnOtherShards) {
  const std::string directory = TempFolder("carried");
  const ShardMap two = SampleMap(2), three = SampleMap(3);
  CheckpointManifest manifest = SampleManifest(two, 42);
  SYNCLINE_ASSERT_OK(BeginCheckpoint(PosixFileSystem(), directory, 42));
  for (uint32_t shard = 0; shard < 2; ++shard) {
    ShardSnapshot snapshot = SampleSnapshot(two, shard);
    snapshot.workers = {SampleWorker(two, shard)};
    SYNCLINE_ASSERT_OK_AND_ASSIGN(
        const auto written,
        ShardCheckpoints(&PosixFileSystem()).Write({PartialCheckpointFolder(directory, 42), "", shard, two}, snapshot));
    for (const CheckpointFile& file : written) *manifest.add_files() = file;
  }
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const std::string folder,
                                CommitCheckpoint(PosixFileSystem(), directory, manifest, 1));
  for (uint32_t shard = 0; shard < 3; ++shard) {
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const ShardSnapshot snapshot,
                                  ReadShard(PosixFileSystem(), folder, three, shard));
    ASSERT_EQ(snapshot.workers.size(), 1u);
    const WorkerState& read = *snapshot.workers[0];
    const auto sample = SampleWorker(three, shard);
    const WorkerState& was = *sample;
    EXPECT_EQ(read.rank, 3u);
    EXPECT_EQ(read.clock, 42u);
    EXPECT_EQ(read.updates, 17u);
    ASSERT_EQ(read.slots.size(), was.slots.size());
    for (const auto& [place, floats] : was.slots) {
      EXPECT_EQ(Bytes(read.slots.at(place)), Bytes(floats));
    }
  }
}

TEST(CheckpointReaderTest, VerifyingReadsEveryFile) {
  FileSystem& files = PosixFileSystem();
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const std::string folder,
                                WriteSample(files, TempFolder("verified"), 2, 42));
  EXPECT_THAT(Checkpoints(files, TempFolder("verified")),
              IsOkAndHolds(std::vector<std::string>{folder}));
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const VerifiedCheckpoint verified, VerifyCheckpoint(files, folder));
  EXPECT_EQ(verified.manifest.step(), 42u);
  EXPECT_GT(verified.bytes, 2 * sizeof(float) * 1203) << "weights and a slot of state";
  for (const char* name : {"/shard-00000.safetensors", "/shard-00001.safetensors"}) {
    SYNCLINE_ASSERT_OK_AND_ASSIGN(std::string bytes, ReadFile(files, folder + name));
    bytes[bytes.size() - 5] ^= 1;
    SYNCLINE_ASSERT_OK(WriteFileAtomically(files, folder + name, bytes));
    EXPECT_THAT(VerifyCheckpoint(files, folder).status(),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr(name)));
    bytes[bytes.size() - 5] ^= 1;
    SYNCLINE_ASSERT_OK(WriteFileAtomically(files, folder + name, bytes));
  }
  SYNCLINE_EXPECT_OK(VerifyCheckpoint(files, folder).status());
}

TEST(CheckpointReaderTest, TheManifestComesBack) {
  FaultFileSystem files;
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const std::string folder, WriteSample(files, "/c", 2, 42));
  SYNCLINE_ASSERT_OK_AND_ASSIGN(CheckpointManifest manifest,
                                ReadCheckpointManifest(files, folder));
  EXPECT_EQ(manifest.files_size(), 2);
  manifest.clear_files();
  EXPECT_EQ(manifest.DebugString(), SampleManifest(SampleMap(2), 42).DebugString());
}

// As programs before layers wrote it: rows lie among the dense chunks.
TEST(CheckpointReaderTest, ReadsFormat1) {
  FaultFileSystem files;
  TensorSpec a, rows;
  a.set_name("a");
  a.add_shape(2);
  rows.set_name("rows");
  rows.mutable_table()->set_name("rows");
  rows.mutable_table()->set_dim(1);
  rows.mutable_table()->set_slots(1);
  rows.mutable_table()->mutable_optimizer()->set_kind(ROW_OPTIMIZER_SGD);
  CheckpointManifest manifest = SampleManifest(*MakeShardMap({a, rows}, {"h:1"}, 4096, false), 7);
  manifest.set_format(1);
  SYNCLINE_ASSERT_OK(BeginCheckpoint(files, "/c", 7));
  SYNCLINE_ASSERT_OK_AND_ASSIGN(
      const auto writer,
      SafetensorsWriter::Create(files, "/c/step-0000000007.partial/shard-00000.safetensors",
                                {{"weights/a@0", "F32", {2}}, {"rows/rows@0", "U8", {20}}, {"chunks", "U64", {2, 2}},
                                 {"applied", "U64", {1, 4}}},
                                {}));
  const std::vector<uint64_t> tables = {0, 3, 9, 12, 0, 5, 1, 6};  // applied, chunks
  const std::vector<float> weights = {1.5f, 2.5f};
  SYNCLINE_ASSERT_OK(writer->Append({reinterpret_cast<const char*>(tables.data()), 64}));
  SYNCLINE_ASSERT_OK(writer->Append({reinterpret_cast<const char*>(weights.data()), 8}));
  SYNCLINE_ASSERT_OK(writer->Append("keykeykey of 20 byte"));
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto written, writer->Finish());
  CheckpointFile* file = manifest.add_files();
  file->set_name("shard-00000.safetensors");
  file->set_bytes(written.bytes);
  file->set_crc32c(written.crc32c);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const std::string folder, CommitCheckpoint(files, "/c", manifest, 1));
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const ShardSnapshot snapshot, ReadShard(files, folder, manifest.map(), 0));
  ASSERT_EQ(snapshot.chunks.size(), 2u);
  EXPECT_EQ(snapshot.chunks[0].version, 5u);
  ASSERT_EQ(snapshot.chunks[0].applied.size(), 1u);
  EXPECT_EQ(snapshot.chunks[0].applied[0].next, 12u);
  EXPECT_EQ(Bytes(snapshot.chunks[0].weights), std::string(reinterpret_cast<const char*>(weights.data()), 8));
  EXPECT_EQ(snapshot.chunks[1].version, 6u);
  EXPECT_EQ(Bytes(snapshot.chunks[1].weights), "keykeykey of 20 byte");
  manifest.set_format(3);
  SYNCLINE_ASSERT_OK(WriteCheckpointManifest(files, folder, manifest));
  EXPECT_THAT(VerifyCheckpoint(files, folder).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("reads 1 to 2")));
}

TEST(CheckpointReaderTest, TheLatestIsTheHighestStepWithAName) {
  FaultFileSystem files;
  EXPECT_THAT(LatestCheckpoint(files, "/c"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/c holds no checkpoint")));
  SYNCLINE_ASSERT_OK(WriteSample(files, "/c", 1, 9).status());
  SYNCLINE_ASSERT_OK(WriteSample(files, "/c", 1, 10).status());
  SYNCLINE_ASSERT_OK(BeginCheckpoint(files, "/c", 11));
  SYNCLINE_ASSERT_OK(files.CreateFolder("/c/step-0000000010.replaced"));
  SYNCLINE_ASSERT_OK(files.CreateFolder("/c/zebra"));
  EXPECT_THAT(LatestCheckpoint(files, "/c"), IsOkAndHolds("/c/step-0000000010"));
}

// Every file of a checkpoint, by its name.
std::map<std::string, std::string> FilesOf(FileSystem& files, const std::string& folder) {
  std::map<std::string, std::string> found;
  const auto names = files.List(folder);
  for (const std::string& name : *names) found[name] = *ReadFile(files, folder + "/" + name);
  return found;
}

TEST(CheckpointReaderTest, DamageAnywhereIsDataLossNamingTheFile) {
  FaultFileSystem files;
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const std::string folder, WriteSample(files, "/c", 1, 42));
  const ShardMap map = SampleMap(1);
  const auto originals = FilesOf(files, folder);
  ASSERT_EQ(originals.size(), 3u);
  for (const auto& original : originals) {
    const std::string& name = original.first;
    const std::string& bytes = original.second;
    const std::string path = folder + "/" + name;
    // The checksum of the manifest speaks for the manifest.
    const auto lost =
        StatusIs(absl::StatusCode::kDataLoss, HasSubstr(folder + "/" + name.substr(0, 5)));
    const auto expect_lost = [&](const std::string& damaged, size_t where) {
      SYNCLINE_ASSERT_OK(WriteFileAtomically(files, path, damaged));
      EXPECT_THAT(ReadShard(files, folder, map, 0), lost) << name << " at " << where;
    };
    // The sum's last byte is a line feed, which does not matter.
    for (size_t i = 0; i + 1 < bytes.size(); i += bytes.size() > 1000 ? 211 : 1) {
      std::string flipped = bytes;
      flipped[i] = static_cast<char>(flipped[i] ^ 0x10);
      expect_lost(flipped, i);
      expect_lost(bytes.substr(0, i), i);
    }
    SYNCLINE_ASSERT_OK(files.RemoveFile(path));
    EXPECT_THAT(ReadShard(files, folder, map, 0), lost) << name << " removed";
    SYNCLINE_ASSERT_OK(WriteFileAtomically(files, path, bytes));
    SYNCLINE_ASSERT_OK(ReadShard(files, folder, map, 0).status());
  }
}

TEST(CheckpointReaderTest, AnotherModelIsRefusedAndTheDifferenceNamed) {
  FaultFileSystem files;
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const std::string folder, WriteSample(files, "/c", 1, 42));
  const auto refused = [&](const ShardMap& map, const char* why) {
    EXPECT_THAT(ReadShard(files, folder, map, 0),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(why)));
  };
  ShardMap map = SampleMap(1);
  map.mutable_tensors(1)->set_name("bias");
  refused(map, "tensor 1 of the model is bias, and was b");
  map = SampleMap(1);
  map.mutable_tensors(0)->set_shape(0, 41);
  refused(map, "tensor a has another shape");
  map = SampleMap(1);
  map.set_chunk_bytes(8192);
  refused(map, "chunk_bytes is 8192, and was 4096");
}

// An independent reader: json and struct of Python's own library.
constexpr char kPython[] = R"(
import json, struct, sys
b = open(sys.argv[1], 'rb').read()
n = struct.unpack('<Q', b[:8])[0]
h = json.loads(b[8:8 + n])
assert h.pop('__metadata__') == {'job': 'sample', 'step': '42'}
assert sorted(h) == ['a', 'b']
def get(name):
    begin, end = h[name]['data_offsets']
    return list(struct.unpack('<%df' % ((end - begin) // 4), b[8 + n + begin:8 + n + end]))
assert h['a']['shape'] == [40, 30] and h['b']['shape'] == [3]
assert get('a') == [float(i) for i in range(1024)] + [1000.0 + i for i in range(176)]
assert get('b') == [2000.0, 2001.0, 2002.0]
)";

TEST(CheckpointReaderTest, AnIndependentParserReadsTheExport) {
  FileSystem& files = PosixFileSystem();
  const std::string directory = TempFolder("export");
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const std::string folder, WriteSample(files, directory, 2, 42));
  const std::string to = directory + "/model.safetensors";
  SYNCLINE_ASSERT_OK(ExportCheckpoint(files, folder, to).status());
  const std::string script = directory + "/read.py";
  SYNCLINE_ASSERT_OK(WriteFileAtomically(files, script, kPython));
  EXPECT_EQ(std::system(("python3 '" + script + "' '" + to + "'").c_str()), 0);
}

TEST(CheckpointReaderTest, AnExportThatFailsLeavesNothing) {
  FaultFileSystem files;
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const std::string folder, WriteSample(files, "/c", 1, 42));
  files.SetCapacity(0);
  EXPECT_THAT(ExportCheckpoint(files, folder, "/c/model"),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("/c/model")));
  EXPECT_FALSE(files.Exists("/c/model"));
  EXPECT_FALSE(files.Exists("/c/model.tmp"));
  EXPECT_THAT(ExportCheckpoint(files, "/c/step-0000000043", "/c/model"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("no such checkpoint")));
}

}  // namespace
}  // namespace syncline
