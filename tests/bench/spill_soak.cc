// Pushes distinct keys, by default a billion, to a shard whose rows may take less memory than they need, and looks at
// some of them at the end. One float each, plain SGD: 20 bytes a row.
//
//   spill_soak [KEYS] [MEMORY] [FOLDER]
//
// MEMORY in bytes, 12 GiB unless told, of which a billion rows' index and marks take 10; FOLDER is for what does not fit,
// on a local disk.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/hash/mix.h"
#include "tests/bench/measure.h"
#include "tests/bench/table_processes.h"

namespace syncline {
namespace {

constexpr size_t kBatch = size_t{1} << 20;
constexpr uint64_t kReport = 32;   // batches
constexpr uint64_t kSampled = 997;  // one in so many is looked at

void Report(const char* what, uint64_t keys, double seconds, TableProcesses* table) {
  const RowMemory rows = table->Rows();
  constexpr double kMiB = 1 << 20;
  std::printf("{\"group\": \"soak\", \"name\": \"%s\", \"keys\": %llu, \"seconds\": %.1f, \"rows\": %llu, "
              "\"cold_rows\": %llu, \"table_mib\": %.0f, \"limit_mib\": %.0f, \"rss_mib\": %.0f, \"rss_most_mib\": %.0f, "
              "\"disk_mib\": %.0f, \"written_mib\": %.0f, \"read_mib\": %.0f, \"reads\": %llu, \"fetched\": %llu}\n",
              what, static_cast<unsigned long long>(keys), seconds, static_cast<unsigned long long>(rows.rows()),
              static_cast<unsigned long long>(rows.cold_rows()), static_cast<double>(rows.memory_bytes()) / kMiB,
              static_cast<double>(rows.memory_limit()) / kMiB, static_cast<double>(table->Memory("RssAnon:")) / kMiB,
              static_cast<double>(table->Memory("VmHWM:")) / kMiB, static_cast<double>(rows.disk_bytes()) / kMiB,
              static_cast<double>(rows.written_bytes()) / kMiB, static_cast<double>(rows.read_bytes()) / kMiB,
              static_cast<unsigned long long>(rows.reads()), static_cast<unsigned long long>(rows.fetched()));
  std::fflush(stdout);
}

void Push(uint64_t keys, TableProcesses* table) {
  const std::vector<float> gradients(kBatch, 1);
  std::vector<uint64_t> batch;
  double seconds = 0;
  uint64_t batches = 0;
  for (uint64_t i = 0; i < keys; ++i) {
    batch.push_back(Mix(i));
    if (batch.size() < kBatch && i + 1 < keys) continue;
    seconds += Seconds([&] { table->Push(batch, gradients.data()); });
    if (++batches % kReport == 0 || i + 1 == keys) Report("push", i + 1, seconds, table);
    batch.clear();
  }
}

// Each row that was pushed has moved by its gradient, and others have not.
void Check(uint64_t keys, TableProcesses* table) {
  std::vector<uint64_t> batch;
  uint64_t wrong = 0, looked = 0;
  const double seconds = Seconds([&] {
    const uint64_t end = keys + keys / 10;
    for (uint64_t i = 0; i < end; i += kSampled) {
      batch.push_back(Mix(i));
      if (batch.size() < kBatch && i + kSampled < end) continue;
      std::vector<float> rows(batch.size());
      table->Pull(batch, rows.data());
      for (size_t k = 0; k < rows.size(); ++k) wrong += rows[k] != ((looked + k) * kSampled < keys ? -1 : 0);
      looked += batch.size();
      batch.clear();
    }
  });
  Report("pull of some", looked, seconds, table);
  if (wrong > 0) Die(absl::StrCat(wrong, " of ", looked, " rows are not what they should be"));
}

}  // namespace
}  // namespace syncline

int main(int argc, char** argv) {
  using namespace syncline;
  // As the daemons do (common/daemon).
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const uint64_t keys = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1000000000;
  const uint64_t memory = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : uint64_t{12} << 30;
  if (keys == 0) Die("KEYS must be at least 1");
  TableProcesses table(1, ROW_OPTIMIZER_SGD, memory, argc > 3 ? argv[3] : "spill_soak_rows");
  table.Connect();
  Push(keys, &table);
  Check(keys, &table);
  return 0;
}
