// Checkpoints that are served: who reads them never fails while newer ones come, and reads what they hold.

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/cluster/shard_map.h"
#include "common/io/file_system.h"
#include "common/io/posix_file_system.h"
#include "common/status/status_macros.h"
#include "common/status/status_matchers.h"
#include "common/table/row_hash.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/durability/checkpoint_reader.h"
#include "server/durability/checkpoint_folders.h"
#include "server/durability/shard_checkpoints.h"
#include "server/read_only_server.h"
#include "server/store/table_format.h"
#include "tests/integration/in_process_cluster.h"
#include "worker/client/await.h"
#include "worker/client/client.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::Each;
using testing::HasSubstr;

constexpr size_t kDim = 4, kKeys = 500, kElements = 3000;
using Pulled = absl::StatusOr<Client::PullOutcome>;

std::vector<uint64_t> Keys(size_t from = 0) {
  std::vector<uint64_t> keys;
  for (uint64_t i = 0; i < kKeys; ++i) keys.push_back((from + i) * 7919 + 1);
  return keys;
}

CheckpointManifest Manifest(uint64_t step, uint32_t slots) {
  TensorSpec weight, items;
  weight.set_name("weight");
  weight.add_shape(kElements);
  items.set_name("items");
  Table* const table = items.mutable_table();
  table->set_name("items");
  table->set_dim(kDim);
  table->set_slots(slots);
  table->mutable_initializer()->set_kind(ROW_INITIALIZER_UNIFORM);
  table->mutable_initializer()->set_a(7);
  table->mutable_initializer()->set_b(8);
  table->mutable_optimizer()->set_kind(ROW_OPTIMIZER_ADAGRAD);
  table->mutable_optimizer()->set_learning_rate(1);
  CheckpointManifest manifest;
  manifest.set_format(1);
  manifest.set_step(step);
  manifest.mutable_job()->set_name("served");
  *manifest.mutable_map() = *MakeShardMap({weight, items}, std::vector<std::string>{"a:1", "b:2"}, 4096, false);
  return manifest;
}

// The rows of Keys() in one slot, each weight `value`.
Fragments SlotRows(const Table& table, uint32_t slot, float value) {
  const RowFormat format = *FormatOf(table);
  auto bytes = std::make_shared<std::string>();
  const std::vector<float> weights(kDim, value);
  for (const uint64_t key : Keys()) {
    if (SlotOfKey(key, table.slots()) != slot) continue;
    std::string row(format.stride(), '\0');
    RowFormat::SetKey(key, row.data());
    RowFormat::SetUpdates(1, row.data());
    format.WriteWeights(weights.data(), row.data());
    *bytes += row;
  }
  return Fragments::Of(bytes->data(), bytes->size(), bytes);
}

// A checkpoint of two shards, in which every weight is its step.
absl::StatusOr<std::string> WriteCheckpoint(const std::string& directory, uint64_t step, uint32_t slots = 8) {
  FileSystem& files = PosixFileSystem();
  CheckpointManifest manifest = Manifest(step, slots);
  const std::vector<ChunkInfo> infos = Chunks(manifest.map());
  const auto floats = std::make_shared<std::vector<float>>(kElements, static_cast<float>(step));
  SYNCLINE_RETURN_IF_ERROR(BeginCheckpoint(files, directory, step));
  for (uint32_t shard = 0; shard < 2; ++shard) {
    ShardSnapshot snapshot;
    snapshot.step = step;
    for (const uint32_t id : OwnedChunks(manifest.map(), shard)) {
      ChunkSnapshot& chunk = snapshot.chunks.emplace_back();
      chunk.chunk = id;
      chunk.version = 1;
      const ChunkInfo& info = infos[id];
      chunk.weights = info.rows ? SlotRows(manifest.map().tensors(1).table(), static_cast<uint32_t>(info.begin), step)
                                : Fragments::Of(floats->data(), info.elements * sizeof(float), floats);
      if (!info.rows) chunk.state = {chunk.weights};
    }
    const std::string folder = PartialCheckpointFolder(directory, step);
    SYNCLINE_ASSIGN_OR_RETURN(const auto written,
                              ShardCheckpoints(&files).Write({folder, "", shard, manifest.map()}, snapshot));
    for (const CheckpointFile& file : written) *manifest.add_files() = file;
  }
  return CommitCheckpoint(files, directory, manifest, 3);
}

std::unique_ptr<ReadOnlyServer> Serve(const std::string& directory, ServePart part = {}) {
  ReadOnlyServer::Options options;
  options.checkpoints = directory;
  options.part = part;
  options.interval = absl::Milliseconds(20);
  return *ReadOnlyServer::Start(options);
}

std::unique_ptr<Client> Connect(const std::vector<std::string>& servers) {
  ClientOptions options;
  options.deadline = absl::Seconds(20);
  return *Client::ConnectToServers(options, servers);
}

absl::StatusOr<uint64_t> PullRows(Client* client, const std::vector<uint64_t>& keys, std::vector<float>* rows) {
  rows->assign(keys.size() * kDim, -1);
  SYNCLINE_ASSIGN_OR_RETURN(const auto outcome, Await<Pulled>([&](auto done) {
                              client->PullRows(0, {{0, keys, rows->data()}}, done);
                            }));
  return outcome.clock;
}

// Nobody else may write to `weight`: what is there in the checkpoint's version is not sent again.
absl::StatusOr<uint64_t> PullWeight(Client* client, std::vector<float>* weight) {
  weight->resize(kElements);
  std::vector<float*> to = {weight->data()};
  SYNCLINE_ASSIGN_OR_RETURN(const auto outcome,
                            Await<Pulled>([&](auto done) { client->Pull(0, {to, nullptr, true}, done); }));
  return outcome.clock;
}

// The step that rows are pulled of, once it is `step`.
void AwaitStep(Client* client, uint64_t step) {
  std::vector<float> rows;
  for (int i = 0; i < 1000; ++i) {
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const uint64_t now, PullRows(client, Keys(), &rows));
    if (now == step) return;
    absl::SleepFor(absl::Milliseconds(10));
  }
  FAIL() << "step " << step << " is not served";
}

TEST(ServingTest, NoPullFailsWhileNewerCheckpointsCome) {
  const std::string directory = FreshFolder("serving_reload");
  SYNCLINE_ASSERT_OK(WriteCheckpoint(directory, 1).status());
  const auto server = Serve(directory);
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  std::atomic<uint64_t> pulls{0};
  for (int reader = 0; reader < 2; ++reader) {
    readers.emplace_back([&] {
      const auto client = Connect({server->address()});
      std::vector<float> rows, weight;
      uint64_t before = 0;
      while (!stop) {
        // A server's message is wholly of one checkpoint, and they only get newer.
        SYNCLINE_ASSERT_OK_AND_ASSIGN(const uint64_t step, PullRows(client.get(), Keys(), &rows));
        ASSERT_THAT(rows, Each(static_cast<float>(step)));
        ASSERT_GE(step, before);
        SYNCLINE_ASSERT_OK_AND_ASSIGN(before, PullWeight(client.get(), &weight));
        ASSERT_THAT(weight, Each(static_cast<float>(before)));
        ASSERT_GE(before, step);
        ++pulls;
      }
    });
  }
  const auto client = Connect({server->address()});
  for (uint64_t step = 2; step <= 8; ++step) {
    SYNCLINE_ASSERT_OK(WriteCheckpoint(directory, step).status());
    AwaitStep(client.get(), step);
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_GE(pulls, 20u);
}

TEST(ServingTest, ABrokenOrAnotherModelsCheckpointIsNotServed) {
  const std::string directory = FreshFolder("serving_broken");
  SYNCLINE_ASSERT_OK(WriteCheckpoint(directory, 1).status());
  const auto server = Serve(directory);
  const auto client = Connect({server->address()});
  AwaitStep(client.get(), 1);
  SYNCLINE_ASSERT_OK(WriteCheckpoint(directory + "/aside", 2).status());
  const std::string aside = directory + "/aside/step-0000000002", broken = directory + "/step-0000000002";
  std::string bytes = *ReadFile(PosixFileSystem(), aside + "/shard-00001.safetensors");
  bytes[bytes.size() - 100] ^= 1;
  SYNCLINE_ASSERT_OK(WriteFileAtomically(PosixFileSystem(), aside + "/shard-00001.safetensors", bytes));
  SYNCLINE_ASSERT_OK(PosixFileSystem().Rename(aside, broken));
  SYNCLINE_ASSERT_OK(WriteCheckpoint(directory, 3, /*slots=*/16).status());
  absl::SleepFor(absl::Milliseconds(200));
  AwaitStep(client.get(), 1);
  SYNCLINE_ASSERT_OK(WriteCheckpoint(directory, 4).status());
  AwaitStep(client.get(), 4);
}

TEST(ServingTest, PartsAreReadTogether) {
  const std::string directory = FreshFolder("serving_parts");
  std::vector<std::unique_ptr<ReadOnlyServer>> servers;
  std::vector<std::string> addresses;
  for (uint32_t part = 0; part < 3; ++part) {
    servers.push_back(Serve(directory, {part, 3}));
    addresses.push_back(servers.back()->address());
  }
  // They wait for the first checkpoint, and so does a client.
  std::thread late([&] {
    absl::SleepFor(absl::Milliseconds(100));
    SYNCLINE_EXPECT_OK(WriteCheckpoint(directory, 5).status());
  });
  const auto client = Connect(addresses);
  late.join();
  EXPECT_EQ(client->shards(), 3);
  std::vector<float> rows, weight;
  EXPECT_THAT(PullRows(client.get(), Keys(), &rows), IsOkAndHolds(5));
  EXPECT_THAT(rows, Each(5));
  EXPECT_THAT(PullWeight(client.get(), &weight), IsOkAndHolds(5));
  EXPECT_THAT(weight, Each(5));
  ClientOptions impatient;
  impatient.deadline = absl::Milliseconds(100);
  EXPECT_THAT(Client::ConnectToServers(impatient, {addresses[0], addresses[2]}),
              StatusIs(StatusCode::kUnavailable, HasSubstr("part 1/3")));
}

TEST(ServingTest, KeysWithoutARowReadAsTheyBegin) {
  const std::string directory = FreshFolder("serving_new_keys");
  SYNCLINE_ASSERT_OK(WriteCheckpoint(directory, 1).status());
  const auto server = Serve(directory);
  const auto client = Connect({server->address()});
  std::vector<float> rows;
  SYNCLINE_ASSERT_OK(PullRows(client.get(), Keys(kKeys), &rows).status());
  EXPECT_THAT(rows, Each(testing::AllOf(testing::Ge(7), testing::Lt(8))));
}

TEST(ServingTest, PushesAreRefused) {
  const std::string directory = FreshFolder("serving_pushes");
  SYNCLINE_ASSERT_OK(WriteCheckpoint(directory, 1).status());
  const auto server = Serve(directory);
  const auto client = Connect({server->address()});
  const std::vector<float> gradient(kElements, 1), rows(kKeys * kDim, 1);
  const std::vector<uint64_t> keys = Keys();
  const auto refused = StatusIs(StatusCode::kFailedPrecondition, HasSubstr("read only"));
  EXPECT_THAT(Await<absl::Status>([&](auto done) { client->Push(0, {{0, gradient.data()}}, done); }), refused);
  EXPECT_THAT(Await<absl::Status>([&](auto done) { client->PushRows(0, {{0, keys, rows.data()}}, done); }), refused);
  EXPECT_THAT(Await<absl::StatusOr<bool>>([&](auto done) { client->Commit(0, 1, {0}, done); }).status(), refused);
  EXPECT_THAT(client->Lease(1, 0, 0).status(), StatusIs(StatusCode::kFailedPrecondition));
}

// From training to reading: what was trained is what is read.
TEST(ServingTest, ServesWhatAJobHasTrained) {
  JobManifest job = SmallJob(20, 30, 200);
  job.mutable_checkpoint()->set_directory(FreshFolder("serving_trained"));
  const Weights trained = TrainedWeights(job);
  const auto server = Serve(job.checkpoint().directory());
  const auto client = Connect({server->address()});
  std::vector<std::vector<float>> weights;
  std::vector<float*> to;
  for (const TensorSpec& tensor : client->tensors()) weights.emplace_back(ElementCount(tensor));
  for (auto& tensor : weights) to.push_back(tensor.data());
  SYNCLINE_ASSERT_OK(Await<Pulled>([&](auto done) { client->Pull(0, {to}, done); }).status());
  ASSERT_EQ(weights.size(), trained.size());
  for (size_t t = 0; t < weights.size(); ++t) EXPECT_EQ(weights[t], trained.at(client->tensors()[t].name()));
}

}  // namespace
}  // namespace syncline
