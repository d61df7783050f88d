#include "server/store/chunk_maker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/cluster/tables.h"
#include "common/optimizer/row_rule_factory.h"
#include "common/optimizer/update_rule_factory.h"
#include "common/status/status_macros.h"
#include "server/store/dense_chunk.h"
#include "server/store/initializer.h"
#include "server/store/initial_rows.h"
#include "server/store/row_chunk.h"
#include "server/store/table_format.h"

namespace syncline {
namespace {

Initializer InitializerOf(const RowInitializer& settings) {
  Initializer initializer;
  initializer.set_a(static_cast<float>(settings.a()));
  initializer.set_b(static_cast<float>(settings.b()));
  if (settings.kind() == ROW_INITIALIZER_UNIFORM) initializer.set_kind(Initializer::UNIFORM);
  if (settings.kind() == ROW_INITIALIZER_NORMAL) initializer.set_kind(Initializer::NORMAL);
  return initializer;
}

AdmissionPolicy AdmissionOf(const Table& table) {
  AdmissionPolicy policy;
  policy.min_count = table.admission().has_min_count() ? table.admission().min_count() : 1;
  policy.probability = table.admission().has_probability() ? table.admission().probability() : 1;
  return policy;
}

EvictionPolicy EvictionOf(const Table& table) {
  EvictionPolicy policy;
  policy.max_age = table.eviction().max_age_steps();
  policy.max_age_seconds = table.eviction().max_age_seconds();
  policy.min_norm = table.eviction().min_norm();
  // A slot's share; by hash all have about as many rows.
  policy.capacity = (table.capacity() + table.slots() - 1) / table.slots();
  if (table.eviction().order() == ROW_EVICTION_LEAST_USED) policy.order = EvictionOrder::kLeastUsed;
  if (table.eviction().order() == ROW_EVICTION_SMALLEST) policy.order = EvictionOrder::kSmallest;
  return policy;
}

}  // namespace

// What the slots of a table have in common.
struct ChunkMaker::TableMaker {
  TableMaker(const Table& table, uint64_t seed, std::unique_ptr<const RowRule> r)
      : rule(std::move(r)),
        format(FormatOf(table, *rule)),
        values(InitializerOf(table.initializer()), seed, table.name()),
        admission(AdmissionOf(table)),
        eviction(EvictionOf(table)),
        base_rate(table.optimizer().learning_rate()) {}

  const std::unique_ptr<const RowRule> rule;
  const RowFormat format;
  const InitialRows values;
  const AdmissionPolicy admission;
  const EvictionPolicy eviction;
  const double base_rate;
};

ChunkMaker::ChunkMaker(const JobManifest& job, const ShardMap& map, std::unique_ptr<const UpdateRule> rule,
                       std::shared_ptr<TableMemory> memory, std::function<double()> seconds)
    : seed_(job.seed()),
      copied_(map.replicas() > 1),
      base_rate_(BaseLearningRate(job.optimizer())),
      tensors_(map.tensors().begin(), map.tensors().end()),
      rule_(std::move(rule)),
      memory_(std::move(memory)),
      seconds_(std::move(seconds)),
      tables_(tensors_.size()) {}

ChunkMaker::~ChunkMaker() = default;

absl::StatusOr<std::unique_ptr<const ChunkMaker>> ChunkMaker::Create(const JobManifest& job, const ShardMap& map,
                                                                     std::shared_ptr<TableMemory> memory,
                                                                     std::function<double()> seconds) {
  SYNCLINE_ASSIGN_OR_RETURN(auto rule, MakeUpdateRule(job.optimizer()));
  std::unique_ptr<ChunkMaker> maker(new ChunkMaker(job, map, std::move(rule), std::move(memory), std::move(seconds)));
  for (size_t t = 0; t < maker->tensors_.size(); ++t) {
    if (!IsTable(maker->tensors_[t])) continue;
    const Table& table = maker->tensors_[t].table();
    SYNCLINE_ASSIGN_OR_RETURN(auto row_rule, MakeRowRule(table.optimizer()));
    maker->tables_[t] = std::make_unique<TableMaker>(table, job.seed(), std::move(row_rule));
  }
  return maker;
}

std::unique_ptr<Chunk> ChunkMaker::Make(const ChunkInfo& info) const {
  if (const auto& table = tables_[info.tensor]; table != nullptr) {
    return std::make_unique<RowChunk>(table->format, table->rule.get(), table->values, table->admission,
                                      table->eviction, memory_, copied_, seconds_);
  }
  auto chunk = std::make_unique<DenseChunk>(rule_.get(), info.elements);
  Initialize(tensors_[info.tensor], seed_, info.begin, info.elements, chunk->initial_weights());
  return chunk;
}

// A dense chunk's first values would take longer to make than those that replace them take to copy.
absl::StatusOr<std::unique_ptr<Chunk>> ChunkMaker::MakeFrom(const ChunkInfo& info, uint64_t version,
                                                            const ChunkContent& content) const {
  if (!info.rows) return std::make_unique<DenseChunk>(rule_.get(), version, content);
  std::unique_ptr<Chunk> chunk = Make(info);
  SYNCLINE_RETURN_IF_ERROR(chunk->Restore(version, content));
  return chunk;
}

double ChunkMaker::base_rate(const ChunkInfo& info) const {
  const auto& table = tables_[info.tensor];
  return table == nullptr ? base_rate_ : table->base_rate;
}

size_t ChunkMaker::RowWidth(const ChunkInfo& info) const {
  const auto& table = tables_[info.tensor];
  return table == nullptr ? 0 : table->format.width();
}

absl::Status ChunkMaker::Check(const ChunkInfo& info, const ChunkContent& content) const {
  if (const auto& table = tables_[info.tensor]; table != nullptr) {
    const size_t stride = table->format.stride();
    if (content.state.size() <= 2 && content.weights.size() % stride == 0) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("slot ", info.begin, " of table ", tensors_[info.tensor].name(), " has ", content.weights.size(),
                     " bytes of rows, which take ", stride, " each: restore with the table they were written by"));
  }
  const size_t bytes = info.elements * sizeof(float);
  const size_t slots = rule_->state_slots();
  const auto fits = [bytes](const Fragments& f) { return f.size() == bytes; };
  if (fits(content.weights) && content.state.size() == slots &&
      std::all_of(content.state.begin(), content.state.end(), fits)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "the snapshot has no chunk ", info.id, " of ", bytes, " bytes with ", slots,
      " optimizer slots of that size: restore with the model and optimizer it was written by"));
}

}  // namespace syncline
