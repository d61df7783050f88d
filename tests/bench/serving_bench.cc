// How long it takes to read rows of a checkpoint that is served: a server (syncline-ps --read_only), and two clients
// that pull 1,000 scattered keys at a time, each process one of three. Newer checkpoints are taken in meanwhile in a
// second round.
//
//   serving_bench [ROWS] [SECONDS]

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "common/cluster/shard_map.h"
#include "common/hash/mix.h"
#include "common/io/posix_file_system.h"
#include "common/table/row_hash.h"
#include "server/durability/checkpoint_folders.h"
#include "server/durability/shard_checkpoints.h"
#include "server/read_only_server.h"
#include "server/store/table_format.h"
#include "tests/bench/child_process.h"
#include "tests/bench/measure.h"
#include "worker/client/await.h"
#include "worker/client/client.h"

namespace syncline {
namespace {

constexpr size_t kKeys = 1000, kClients = 2;
constexpr uint32_t kDim = 16;

uint64_t KeyOf(uint64_t row) { return Mix(row); }

CheckpointManifest Manifest(uint64_t step) {
  TensorSpec items;
  items.set_name("items");
  Table* const table = items.mutable_table();
  table->set_name("items");
  table->set_dim(kDim);
  table->set_slots(256);
  table->mutable_initializer()->set_kind(ROW_INITIALIZER_ZEROS);
  table->mutable_optimizer()->set_kind(ROW_OPTIMIZER_ADAGRAD);
  table->mutable_optimizer()->set_learning_rate(0.01);
  CheckpointManifest manifest;
  manifest.set_format(1);
  manifest.set_step(step);
  manifest.mutable_job()->set_name("serving");
  *manifest.mutable_map() = Must(MakeShardMap({items}, std::vector<std::string>{"a:1"}, 1 << 20, false));
  return manifest;
}

// A checkpoint of one table with so many rows.
void WriteCheckpoint(const std::string& directory, uint64_t step, uint64_t rows) {
  CheckpointManifest manifest = Manifest(step);
  const Table& table = manifest.map().tensors(0).table();
  const RowFormat format = Must(FormatOf(table));
  std::vector<std::shared_ptr<std::string>> slots;
  for (uint32_t slot = 0; slot < table.slots(); ++slot) slots.push_back(std::make_shared<std::string>());
  const std::vector<float> weights(kDim, static_cast<float>(step));
  std::string row(format.stride(), '\0');
  RowFormat::SetUpdates(1, row.data());
  for (uint64_t i = 0; i < rows; ++i) {
    RowFormat::SetKey(KeyOf(i), row.data());
    format.WriteWeights(weights.data(), row.data());
    *slots[SlotOfKey(KeyOf(i), table.slots())] += row;
  }
  ShardSnapshot snapshot;
  snapshot.step = step;
  for (uint32_t slot = 0; slot < table.slots(); ++slot) {
    ChunkSnapshot& chunk = snapshot.chunks.emplace_back();
    chunk.chunk = slot;
    chunk.weights = Fragments::Of(slots[slot]->data(), slots[slot]->size(), slots[slot]);
  }
  FileSystem& files = PosixFileSystem();
  Must(BeginCheckpoint(files, directory, step));
  const std::string folder = PartialCheckpointFolder(directory, step);
  for (const CheckpointFile& file : Must(ShardCheckpoints(&files).Write({folder, "", 0, manifest.map()}, snapshot))) {
    *manifest.add_files() = file;
  }
  Must(CommitCheckpoint(files, directory, manifest, 1));
}

void Serve(const Pipe& parent, const std::string& directory) {
  ReadOnlyServer::Options options;
  options.checkpoints = directory;
  options.interval = absl::Milliseconds(200);
  const auto server = Must(ReadOnlyServer::Start(options));
  StayUp(server->address(), parent);
}

// Pulls for as many seconds as it is told, again and again, and says how long each took, in µs.
void Read(const Pipe& parent, uint64_t rows) {
  ClientOptions options;
  const auto client = Must(Client::ConnectToServers(options, {parent.ReadLine()}));
  uint64_t next = static_cast<uint64_t>(getpid()) << 32;
  std::vector<uint64_t> keys(kKeys);
  std::vector<float> to(kKeys * kDim);
  const auto pull = [&] {
    // Rows that follow each other are scattered, and none comes twice.
    const uint64_t first = Mix(next++) % (rows - kKeys);
    for (size_t i = 0; i < kKeys; ++i) keys[i] = KeyOf(first + i);
    Must(Await<absl::Status>([&](auto done) { client->ObserveRows({{0, keys, to.data()}}, std::move(done)); }));
  };
  for (int i = 0; i < 100; ++i) pull();
  parent.WriteLine("ready");
  while (true) {
    double seconds = 0, taken = 0;
    if (!absl::SimpleAtod(parent.ReadLine(), &seconds)) Die("no number of seconds");
    std::vector<std::string> times;
    while (taken < seconds) {
      const double one = Seconds(pull);
      taken += one;
      times.push_back(absl::StrCat(static_cast<uint64_t>(one * 1e6)));
    }
    for (const std::string& time : times) parent.WriteLine(time);
    parent.WriteLine("done");
  }
}

using Clients = std::vector<std::unique_ptr<ChildProcess>>;

void Report(const std::string& round, const std::string& what, double value, const char* unit) {
  std::printf("{\"group\": \"serving\", \"name\": \"%s, %s\", \"value\": %.4g, \"unit\": \"%s\", \"reference\": null, "
              "\"ratio\": null}\n", round.c_str(), what.c_str(), value, unit);
  std::fflush(stdout);
}

void Measure(const std::string& round, const Clients& clients, double seconds, const std::function<void()>& meanwhile) {
  for (const auto& client : clients) client->pipe().WriteLine(absl::StrCat(seconds));
  meanwhile();
  std::vector<double> times;
  for (const auto& client : clients) {
    for (std::string line = client->pipe().ReadLine(); line != "done"; line = client->pipe().ReadLine()) {
      double time = 0;
      if (!absl::SimpleAtod(line, &time)) Die("no time: " + line);
      times.push_back(time);
    }
  }
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) {
    return times[static_cast<size_t>(share * static_cast<double>(times.size() - 1))];
  };
  Report(round, "p50 of a pull of 1,000 keys", at(0.5), "us");
  Report(round, "p99", at(0.99), "us");
  Report(round, "longest", times.back(), "us");
  Report(round, "keys read by both", static_cast<double>(times.size() * kKeys) / seconds * 1e-6, "M keys/s");
}

}  // namespace
}  // namespace syncline

int main(int argc, char** argv) {
  using namespace syncline;
  // As the daemons do (common/daemon).
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const uint64_t rows = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1000000;
  const double seconds = argc > 2 ? std::strtod(argv[2], nullptr) : 5;
  if (rows <= kKeys || seconds <= 0) Die("ROWS must be above 1000 and SECONDS above 0");
  char folder[] = "/tmp/serving_bench.XXXXXX";
  if (mkdtemp(folder) == nullptr) Die("no folder for checkpoints");
  const std::string directory = folder;
  WriteCheckpoint(directory, 1, rows);
  {
    const ChildProcess server([&](const Pipe& parent) { Serve(parent, directory); });
    Clients clients;
    for (size_t i = 0; i < kClients; ++i) {
      clients.push_back(std::make_unique<ChildProcess>([&](const Pipe& parent) { Read(parent, rows); }));
    }
    const std::string address = server.pipe().ReadLine();
    for (const auto& client : clients) client->pipe().WriteLine(address);
    for (const auto& client : clients) {
      if (client->pipe().ReadLine() != "ready") Die("a client has gone");
    }
    const std::string size = absl::StrCat(rows, " rows of ", kDim);
    Measure(size, clients, seconds, [] {});
    Measure(size + ", reloading", clients, seconds, [&] { WriteCheckpoint(directory, 2, rows); });
  }
  Must(PosixFileSystem().RemoveFolder(directory));
  return 0;
}
