// How fast rows get in and out of a shard in another process: one worker, one shard, async, each a process of its own
// beside the coordinator. References are ps-lite's own key-value benchmark, whose server stores nothing, and a gather of the
// same rows from a plain array in this process.
//
//   rows_bench [KEYS [network]]
//
// With "network" worker and shard share no memory, as if they were on two hosts.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "common/hash/mix.h"
#include "common/table/packed_keys.h"
#include "common/table/row_partition.h"
#include "tests/bench/cluster_processes.h"
#include "tests/bench/measure.h"
#include "worker/client/await.h"
#include "worker/client/client.h"

namespace syncline {
namespace {

constexpr int kRounds = 5;
constexpr size_t kWide = 64;

JobManifest Job(bool shared_memory) {
  JobManifest job = JobWithoutModel("rows");
  job.set_shared_memory(shared_memory);
  AddTable("narrow", 1, &job);
  AddTable("wide", kWide, &job);
  return job;
}

// One table's rows under scattered keys.
struct Rows {
  Rows(size_t table, size_t dim, size_t count, Client* client)
      : table(table), dim(dim), room(Must(SharedMemory::Create(count * dim * sizeof(float)))),
        weights(reinterpret_cast<float*>(room->data())), gradients(count * dim, 0.1f) {
    client->Lend(room);
    for (uint64_t i = 0; i < count; ++i) keys.push_back(Mix(i));
  }

  double Push(Client* client, Clock clock) const {
    return Seconds([&] {
      Must(Await<absl::Status>(
          [&](auto done) { client->PushRows(clock, {{table, keys, gradients.data()}}, std::move(done)); }));
    });
  }
  double Pull(Client* client) {
    return Seconds([&] {
      Must(Await<absl::Status>(
          [&](auto done) { client->ObserveRows({{table, keys, weights}}, std::move(done)); }));
    });
  }
  // Rows of one float that began with zero and were pushed alike.
  void Check() const {
    for (size_t i = 0; i < keys.size(); ++i) {
      if (weights[i] != weights[0] || weights[i] == 0) Die("the rows that came are not those that were pushed");
    }
  }

  const size_t table;
  const size_t dim;
  std::vector<uint64_t> keys;
  const std::shared_ptr<SharedMemory> room;
  float* const weights;
  std::vector<float> gradients;
};

void Report(const std::string& name, double value, const char* unit, double reference, double at_least) {
  std::printf("{\"group\": \"rows\", \"name\": \"%s\", \"value\": %.4g, \"unit\": \"%s\", \"reference\": %s, "
              "\"ratio\": %s, \"at_least\": %g}\n",
              name.c_str(), value, unit, reference > 0 ? absl::StrCat(reference).c_str() : "null",
              reference > 0 ? absl::StrCat(value / reference).c_str() : "null", at_least);
  std::fflush(stdout);
}

// A gather of as many rows from an array, in another order than they lie in.
double Gather(const Rows& rows) {
  const size_t count = rows.keys.size();
  std::vector<float> array(count * rows.dim, 1), to(count * rows.dim);
  return Seconds([&] {
    for (size_t i = 0; i < count; ++i) {
      const size_t from = static_cast<size_t>((static_cast<unsigned __int128>(rows.keys[i]) * count) >> 64);
      std::copy_n(&array[from * rows.dim], rows.dim, &to[i * rows.dim]);
    }
  });
}

// Keys as they go over the network, 8,192 of a slot at a time: packed and unpacked in one thread, beside sorting them,
// which would make them shorter.
void Pack(const char* what, const std::vector<uint64_t>& keys) {
  constexpr uint32_t kSlots = 256;
  const RowPartition slots(keys, kSlots);
  size_t bytes = 0;
  double packing = 0, sorting = 0;
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    const absl::Span<const uint64_t> all = slots.keys(slot);
    for (size_t begin = 0; begin < all.size(); begin += 8192) {
      const absl::Span<const uint64_t> part = all.subspan(begin, 8192);
      packing += Seconds([&] {
        const std::string packed = PackKeys(part, slot, kSlots);
        bytes += packed.size();
        if (Must(UnpackKeys(Fragments::Of(packed.data(), packed.size()), slot, kSlots)).size() != 8 * part.size()) {
          Die("keys were lost");
        }
      });
      std::vector<uint64_t> sorted(part.begin(), part.end());
      sorting += Seconds([&] { std::sort(sorted.begin(), sorted.end()); });
    }
  }
  const double count = static_cast<double>(keys.size());
  Report(absl::StrFormat("keys that are %s packed (%.2f bytes each) and unpacked / sorted", what, bytes / count),
         count / packing / 1e6, "M keys/s", count / sorting / 1e6, 0);
}

void Run(const std::string& coordinator, size_t count) {
  const auto client = Join(coordinator);
  Must(client->CreateTensors({VectorSpec("weight", 1)}));
  const double millions = static_cast<double>(count) / 1e6;

  Rows narrow(0, 1, count, client.get());
  const double made = narrow.Push(client.get(), 0);
  Report(absl::StrCat("first push of ", count, " keys, one float each"), millions / made, "M keys/s", 0, 0);
  std::vector<double> pushes, pulls;
  for (int round = 0; round < kRounds; ++round) {
    pushes.push_back(narrow.Push(client.get(), 1 + round));
    pulls.push_back(narrow.Pull(client.get()));
    narrow.Check();
  }
  Report(absl::StrCat("pull of ", count, " scattered keys, one float each"), millions / Median(pulls), "M keys/s", 0, 50);
  Report("push and Adagrad of the same", millions / Median(pushes), "M keys/s", 0, 40);

  std::vector<uint64_t> ids(count);
  std::iota(ids.begin(), ids.end(), 0);
  Pack("hashes", narrow.keys);
  Pack("ids in a row", ids);

  Rows wide(1, kWide, count / 10, client.get());
  wide.Push(client.get(), 1 + kRounds);
  std::vector<double> wide_pulls, gathers;
  for (int round = 0; round < kRounds; ++round) {
    wide_pulls.push_back(wide.Pull(client.get()));
    gathers.push_back(Gather(wide));
  }
  const double rows = static_cast<double>(wide.keys.size()) / 1e6;
  Report("pull of dim 64 / gather from a plain array in one process", rows / Median(wide_pulls), "M rows/s",
         rows / Median(gathers), 0.5);
}

}  // namespace
}  // namespace syncline

int main(int argc, char** argv) {
  using namespace syncline;
  // As the daemons do (common/daemon).
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const size_t keys = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10000000;
  if (keys < 10) Die("KEYS must be at least 10");
  ClusterProcesses cluster(Job(argc < 3 || std::string(argv[2]) != "network"));
  Run(cluster.Start(), keys);
  return 0;
}
