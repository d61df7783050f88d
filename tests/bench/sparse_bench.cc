// The store of sparse tables in one process and one thread: looking rows up, reading and updating
// them, beside an absl::flat_hash_map from key to row number and plain arrays with the same rows,
// in the same run.
//
//   sparse_bench [ROWS] [lookup | update | gather | insert]
//
// ROWS of a table with 4 weights a row: 10 million unless told.
//
// Keys are drawn by a Zipf law with exponent 1.05, in batches of 106,496: 26 features of 4,096
// samples.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/hash/mix.h"
#include "common/optimizer/adagrad.h"
#include "common/optimizer/elementwise_rows.h"
#include "common/optimizer/row_wise_adagrad.h"
#include "common/table/row_hash.h"
#include "common/table/row_partition.h"
#include "server/store/row_slot.h"
#include "tests/bench/measure.h"
#include "tests/bench/zipf.h"

namespace syncline {
namespace {

constexpr uint32_t kSlots = 256;
constexpr size_t kBatch = 26 * 4096;
constexpr size_t kBatches = 40;
constexpr int kRounds = 7;
constexpr double kExponent = 1.05;

// The key of a rank: anywhere in 64 bits.
uint64_t KeyOf(uint64_t rank) { return Mix(rank ^ 0x5bd1e995u); }

std::vector<uint64_t> ZipfKeys(uint64_t rows, size_t count) {
  const Zipf zipf(rows, kExponent);
  std::mt19937_64 random(1);
  std::vector<uint64_t> keys(count);
  for (uint64_t& key : keys) key = KeyOf(zipf(&random));
  return keys;
}

void Report(const char* name, double value, const char* unit, double reference, double at_least) {
  std::printf("{\"group\": \"sparse\", \"name\": \"%s\", \"value\": %.3f, \"unit\": \"%s\"", name,
              value, unit);
  if (reference > 0) {
    std::printf(", \"reference\": %.3f, \"ratio\": %.3f", reference, value / reference);
  }
  if (at_least > 0) std::printf(", \"at_least\": %.2f", at_least);
  std::printf("}\n");
  std::fflush(stdout);
}

// A table of `rows` rows, whose ranks were stored in no order.
class Table {
 public:
  Table(std::unique_ptr<const RowRule> rule, size_t dim)
      : rule_(std::move(rule)), format_(dim, StoredAs::kFloat32, *rule_) {
    Initializer uniform;
    uniform.set_kind(Initializer::UNIFORM);
    uniform.set_b(0.1f);
    for (uint32_t slot = 0; slot < kSlots; ++slot) {
      slots_.push_back(
          std::make_unique<RowSlot>(format_, rule_.get(), InitialRows(uniform, 1, "table")));
    }
  }

  void Fill(uint64_t rows) {
    std::vector<uint64_t> keys;
    for (uint64_t i = 0; i < rows; ++i) {
      keys.push_back(KeyOf(Shuffled(i, rows)));
      if (keys.size() < 1 << 20 && i + 1 < rows) continue;
      Update(keys);
      keys.clear();
    }
  }
  // i-th of a fixed order of all ranks.
  static uint64_t Shuffled(uint64_t i, uint64_t rows) { return i * 0x9e3779b1u % rows; }

  void Update(absl::Span<const uint64_t> keys) {
    const size_t bytes = format_.dim() * sizeof(float);
    if (gradients_.size() < keys.size() * format_.dim()) {
      gradients_.assign(keys.size() * format_.dim(), 0.01f);
    }
    const RowPartition partition(keys, kSlots);
    for (uint32_t s = 0; s < kSlots; ++s) {
      const Fragments gradients = Fragments::Of(
          gradients_.data() + partition.begin(s) * format_.dim(), partition.keys(s).size() * bytes);
      UpdateSettings settings;
      settings.learning_rate = 0.01;
      slots_[s]->Update({{partition.keys(s), &gradients, 1}}, settings);
    }
  }
  void Find(absl::Span<const uint64_t> keys, uint32_t* numbers) const {
    const RowPartition partition(keys, kSlots);
    for (uint32_t s = 0; s < kSlots; ++s) {
      slots_[s]->Find(partition.keys(s), numbers + partition.begin(s));
    }
  }
  void Read(absl::Span<const uint64_t> keys, float* out) const {
    const RowPartition partition(keys, kSlots);
    for (uint32_t s = 0; s < kSlots; ++s) {
      slots_[s]->Read(partition.keys(s), out + partition.begin(s) * format_.dim());
    }
  }

  size_t rows() const {
    size_t rows = 0;
    for (const auto& slot : slots_) rows += slot->rows();
    return rows;
  }
  size_t bytes() const {
    size_t bytes = 0;
    for (const auto& slot : slots_) bytes += slot->bytes();
    return bytes;
  }

 private:
  const std::unique_ptr<const RowRule> rule_;
  const RowFormat format_;
  std::vector<std::unique_ptr<RowSlot>> slots_;
  std::vector<float> gradients_;
};

// Million keys a second of one and the other, by batches, in turns.
std::pair<double, double> InTurns(const std::vector<uint64_t>& keys,
                                  const std::function<void(absl::Span<const uint64_t>)>& ours,
                                  const std::function<void(absl::Span<const uint64_t>)>& theirs) {
  const auto all = [&keys](const std::function<void(absl::Span<const uint64_t>)>& body) {
    return Seconds([&] {
      for (size_t begin = 0; begin < keys.size(); begin += kBatch) {
        body(absl::MakeConstSpan(keys).subspan(begin, kBatch));
      }
    });
  };
  std::vector<double> a, b;
  for (int round = 0; round < kRounds; ++round) {
    a.push_back(all(ours));
    b.push_back(all(theirs));
  }
  const double millions = static_cast<double>(keys.size()) / 1e6;
  return {millions / Median(a), millions / Median(b)};
}

void LookUp(uint64_t rows) {
  Table table(std::make_unique<RowWiseAdagrad>(1e-8f, 0.0f, 0.0f), 4);
  const double filling = Seconds([&] { table.Fill(rows); });
  Report("rows stored, dim 4, row-wise Adagrad", static_cast<double>(rows) / filling / 1e6,
         "M rows/s", 0, 0);
  absl::flat_hash_map<uint64_t, uint32_t> map;
  map.reserve(rows);
  for (uint64_t i = 0; i < rows; ++i) {
    map.emplace(KeyOf(Table::Shuffled(i, rows)), static_cast<uint32_t>(i));
  }
  std::vector<float> array(rows * 4, 1.0f);

  const std::vector<uint64_t> keys = ZipfKeys(rows, kBatches * kBatch);
  std::vector<uint32_t> numbers(kBatch);
  std::vector<float> weights(kBatch * 4);
  const auto [found, mapped] = InTurns(
      keys, [&](absl::Span<const uint64_t> batch) { table.Find(batch, numbers.data()); },
      [&](absl::Span<const uint64_t> batch) {
        for (size_t i = 0; i < batch.size(); ++i) numbers[i] = map.find(batch[i])->second;
      });
  Report("lookup of a row's number / absl::flat_hash_map", found, "M keys/s", mapped, 2.0);
  const auto [read, gathered] = InTurns(
      keys, [&](absl::Span<const uint64_t> batch) { table.Read(batch, weights.data()); },
      [&](absl::Span<const uint64_t> batch) {
        for (size_t i = 0; i < batch.size(); ++i) {
          const size_t number = map.find(batch[i])->second;
          std::copy_n(&array[number * 4], 4, &weights[i * 4]);
        }
      });
  Report("read of dim 4 / the map and a plain array", read, "M keys/s", gathered, 0);
}

// Batches without keys that come twice.
void Update(uint64_t rows) {
  for (const size_t dim : {1, 16}) {
    Table table(std::make_unique<ElementwiseRows>(std::make_unique<Adagrad>(1e-10f, 0.0f, 0.0f)),
                dim);
    table.Fill(rows);
    std::vector<double> seconds;
    std::mt19937_64 random(2);
    for (int round = 0; round < kRounds; ++round) {
      std::unordered_set<uint64_t> chosen;
      while (chosen.size() < 10 * kBatch) chosen.insert(KeyOf(random() % rows));
      const std::vector<uint64_t> keys(chosen.begin(), chosen.end());
      seconds.push_back(Seconds([&] { table.Update(keys); }));
    }
    const double speed = static_cast<double>(10 * kBatch) / Median(seconds) / 1e6;
    Report(dim == 1 ? "Adagrad, dim 1, scattered keys" : "Adagrad, dim 16, scattered keys", speed,
           "M keys/s", 0, 0);
  }
}

void GatherWide() {
  constexpr uint64_t kRows = 2000000;
  constexpr size_t kDim = 64;
  Table table(std::make_unique<ElementwiseRows>(std::make_unique<Adagrad>(1e-10f, 0.0f, 0.0f)),
              kDim);
  table.Fill(kRows);
  std::vector<float> array(kRows * kDim, 1.0f), out(kBatch * kDim);
  std::mt19937_64 random(3);
  std::vector<uint64_t> ranks(kBatches / 4 * kBatch), keys;
  for (uint64_t& rank : ranks) rank = random() % kRows;
  for (const uint64_t rank : ranks) keys.push_back(KeyOf(rank));
  size_t at = 0;
  const auto [read, gathered] = InTurns(
      keys, [&](absl::Span<const uint64_t> batch) { table.Read(batch, out.data()); },
      [&](absl::Span<const uint64_t> batch) {
        for (size_t i = 0; i < batch.size(); ++i, ++at) {
          std::copy_n(&array[ranks[at % ranks.size()] * kDim], kDim, &out[i * kDim]);
        }
      });
  Report("read of dim 64 / gather from a plain array", read, "M keys/s", gathered, 0.5);
}

// A slot that grows to 400,000 rows, as those of a table with 100 million, one row an update: the
// most memory a row takes on the way from 50,000 on, and the longest that a new row waits for.
void Insert() {
  constexpr double kPayload = 8 + 16 * 4 + 4;  // key, weights, state
  const RowWiseAdagrad rule(1e-8f, 0.0f, 0.0f);
  const std::vector<float> gradient(16, 1.0f);
  const Fragments gradients = Fragments::Of(gradient.data(), gradient.size() * sizeof(float));
  std::vector<double> longest(kRounds), most(kRounds);
  for (int round = 0; round < kRounds; ++round) {
    RowSlot slot(RowFormat(16, StoredAs::kFloat32, rule), &rule, InitialRows());
    for (uint64_t key = 0; key < 400000; ++key) {
      const uint64_t keys[] = {KeyOf(key)};
      const double seconds = Seconds([&] { slot.Update({{keys, &gradients, 1}}, {}); });
      longest[round] = std::max(longest[round], seconds);
      if (key < 50000) continue;
      const double bytes = static_cast<double>(slot.bytes()) / static_cast<double>(slot.rows());
      most[round] = std::max(most[round], bytes);
    }
  }
  Report("bytes a row / payload, dim 16, row-wise Adagrad", Median(most), "bytes", kPayload, 0);
  Report("longest wait for one new row, slot of 400,000", Median(longest) * 1e6, "us", 0, 0);
}

}  // namespace
}  // namespace syncline

int main(int argc, char** argv) {
  const uint64_t rows = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10000000;
  if (rows < 2000000) {
    std::fprintf(stderr, "sparse_bench: ROWS is %s: it must be at least 2000000\n", argv[1]);
    return 2;
  }
  const std::string part = argc > 2 ? argv[2] : "";
  if (part.empty() || part == "lookup") syncline::LookUp(rows);
  if (part.empty() || part == "update") syncline::Update(std::min<uint64_t>(rows, 10000000));
  if (part.empty() || part == "gather") syncline::GatherWide();
  if (part.empty() || part == "insert") syncline::Insert();
  return 0;
}
