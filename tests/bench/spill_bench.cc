// A table ten times as large as the memory it may take, beside the same table without a limit: what a shard in another
// process does with batches of Zipf keys (exponent 1.05), each pulled, then pushed (Adagrad).
//
//   spill_bench [ROWS] [FOLDER] [WARM_UP]
//
// ROWS of dim 16, 4 million unless told (fewer leave little beside the pages that each of 256 slots appends to), and half
// as many of dim 64. FOLDER is for what does not fit, on a local disk. WARM_UP batches, 20 unless told, come before the 20 that
// count: after few of them most rows of a batch have never come before, so nobody could know that they would.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/hash/mix.h"
#include "tests/bench/measure.h"
#include "tests/bench/table_processes.h"
#include "tests/bench/zipf.h"

namespace syncline {
namespace {

constexpr size_t kBatch = 26 * 1024;  // 26 features of 1,024 samples
constexpr int kRounds = 20;
constexpr double kExponent = 1.05;

struct Result {
  double pulls = 0, pushes = 0;  // M keys/s
  double hits = 1;               // of the rows that were pulled
  RowMemory rows;
};

uint64_t KeyOf(uint64_t rank) { return Mix(rank ^ 0x5bd1e995u); }

// As many draws as a batch has, each key once.
std::vector<uint64_t> Batch(const Zipf& zipf, std::mt19937_64* random) {
  std::vector<uint64_t> keys(kBatch);
  for (uint64_t& key : keys) key = KeyOf(zipf(random));
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

Result Measure(uint64_t rows, size_t dim, int warm_up, TableProcesses* table) {
  table->Connect();
  std::vector<float> floats(size_t{1} << 23, 0.01f);
  std::vector<uint64_t> keys;
  for (uint64_t i = 0; i < rows; ++i) {
    keys.push_back(KeyOf(i * 0x9e3779b1u % rows));
    if ((keys.size() + 1) * dim <= floats.size() && i + 1 < rows) continue;
    table->Push(keys, floats.data());
    keys.clear();
  }
  const Zipf zipf(rows, kExponent);
  std::mt19937_64 random(1);
  std::vector<float> weights(kBatch * dim);
  std::vector<double> pulls, pushes;
  double asked = 0, missed = 0;
  for (int round = 0; round < warm_up + kRounds; ++round) {
    const std::vector<uint64_t> batch = Batch(zipf, &random);
    const double millions = static_cast<double>(batch.size()) / 1e6;
    const uint64_t fetched = table->Rows().fetched();
    const double pull = millions / Seconds([&] { table->Pull(batch, weights.data()); });
    const uint64_t now = table->Rows().fetched();
    const double push = millions / Seconds([&] { table->Push(batch, floats.data()); });
    if (round < warm_up) continue;
    pulls.push_back(pull);
    pushes.push_back(push);
    asked += static_cast<double>(batch.size());
    missed += static_cast<double>(now - fetched);
  }
  return {Median(pulls), Median(pushes), 1 - missed / asked, table->Rows()};
}

void Report(const std::string& name, double value, const char* unit, double reference) {
  std::printf("{\"group\": \"spill\", \"name\": \"%s\", \"value\": %.4g, \"unit\": \"%s\", \"reference\": %s, \"ratio\": "
              "%s, \"at_least\": null}\n",
              name.c_str(), value, unit, reference > 0 ? absl::StrCat(reference).c_str() : "null",
              reference > 0 ? absl::StrCat(value / reference).c_str() : "null");
  std::fflush(stdout);
}

void Compare(uint64_t rows, size_t dim, int warm_up, TableProcesses* free, TableProcesses* small) {
  const Result all = Measure(rows, dim, warm_up, free), tenth = Measure(rows, dim, warm_up, small);
  const std::string what = absl::StrCat(", dim ", dim, ", ", rows, " rows, a tenth in memory");
  Report(absl::StrCat("table / --table_memory", what),
         static_cast<double>(all.rows.memory_bytes()) / static_cast<double>(tenth.rows.memory_limit()), "", 0);
  Report(absl::StrCat("memory taken / --table_memory", what),
         static_cast<double>(tenth.rows.memory_bytes()) / static_cast<double>(tenth.rows.memory_limit()), "", 0);
  Report(absl::StrCat("rows of a batch in memory", what), 100 * tenth.hits, "%", 0);
  Report(absl::StrCat("pull", what, " / all", ""), tenth.pulls, "M keys/s", all.pulls);
  Report(absl::StrCat("push", what, " / all", ""), tenth.pushes, "M keys/s", all.pushes);
}

// What a table takes without a limit: rows, and what finds them.
uint64_t TableBytes(uint64_t rows, size_t dim) { return rows * (16 + 8 * dim + 7); }

}  // namespace
}  // namespace syncline

int main(int argc, char** argv) {
  using namespace syncline;
  // As the daemons do (common/daemon).
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const uint64_t rows = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 4000000;
  const std::string folder = argc > 2 ? argv[2] : "spill_bench_rows";
  const int warm_up = argc > 3 ? std::atoi(argv[3]) : 20;
  if (warm_up < 0) Die("WARM_UP must be at least 0");
  if (rows < 200000) Die("ROWS must be at least 200000");
  const RowOptimizerKind adagrad = ROW_OPTIMIZER_ADAGRAD;
  TableProcesses narrow(16, adagrad, 0, folder), narrow_tenth(16, adagrad, TableBytes(rows, 16) / 10, folder);
  TableProcesses wide(64, adagrad, 0, folder), wide_tenth(64, adagrad, TableBytes(rows / 2, 64) / 10, folder);
  Compare(rows, 16, warm_up, &narrow, &narrow_tenth);
  Compare(rows / 2, 64, warm_up, &wide, &wide_tenth);
  return 0;
}
