#include "server/coordinator/coordinator_metrics.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/cluster/table_status.h"
#include "server/durability/checkpoint_names.h"

namespace syncline {
namespace {

using Kind = Metric::Kind;

// -1 before the first one.
double StepOfCheckpoint(const std::string& folder) {
  uint64_t step = 0;
  absl::string_view suffix;
  const size_t slash = folder.find_last_of('/');
  const std::string name = slash == std::string::npos ? folder : folder.substr(slash + 1);
  return ParseCheckpointName(name, &step, &suffix) ? static_cast<double>(step) : -1;
}

void AddLoads(const ClusterStatusReply& status, std::vector<Metric>* metrics) {
  for (int shard = 0; shard < status.shard_load_size(); ++shard) {
    metrics->push_back({"syncline_shard_load", "Bytes of gradients taken and of weights read, a second, of late.",
                        Kind::kGauge, {{"shard", absl::StrCat(shard)}}, status.shard_load(shard)});
  }
  metrics->push_back({"syncline_load_moved_bytes_total", "Bytes of weights that moved because of their load.",
                      Kind::kCounter, {}, static_cast<double>(status.rescale().load_moved_bytes())});
}

void AddTable(const TableStatus& table, std::vector<Metric>* metrics) {
  const auto add = [&](const std::string& name, const std::string& help, Kind kind, uint64_t value) {
    metrics->push_back({"syncline_table_" + name, help, kind, {{"table", table.name()}}, static_cast<double>(value)});
  };
  add("rows", "Rows of a table.", Kind::kGauge, table.rows());
  add("bytes", "Memory that they take at their owners, state and index too.", Kind::kGauge, table.bytes());
  add("admitted_total", "Rows stored for keys that had none.", Kind::kCounter, table.admitted());
  add("refused_total", "Pushes of keys that got no row.", Kind::kCounter, table.refused());
  add("evicted_total", "Rows evicted.", Kind::kCounter, table.evicted());
  add("expired_total", "Of them, for their age in seconds.", Kind::kCounter, table.expired());
}

}  // namespace

std::vector<Metric> CoordinatorMetrics(const ClusterStatusReply& status) {
  const auto number = [](uint64_t value) { return static_cast<double>(value); };
  uint64_t live = 0;
  for (const WorkerStatus& worker : status.workers()) live += worker.live() ? 1 : 0;
  std::vector<Metric> metrics = {
      {"syncline_phase", "0 waiting, 1 training, 2 draining, 3 finished.", Kind::kGauge, {},
       static_cast<double>(status.phase())},
      {"syncline_workers", "Live workers.", Kind::kGauge, {}, number(live)},
      {"syncline_shards", "Shards that have come.", Kind::kGauge, {},
       static_cast<double>(status.shards_size())},
      {"syncline_step", "Steps made (sync), or the lowest live clock.", Kind::kGauge, {},
       number(status.step())},
      {"syncline_epoch", "Passes over the training data.", Kind::kGauge, {}, status.epoch()},
      {"syncline_samples_total", "Samples trained on.", Kind::kCounter, {},
       number(status.samples_total())},
      {"syncline_samples_per_second", "Samples trained on lately, a second.", Kind::kGauge, {},
       status.samples_per_second()},
      {"syncline_last_checkpoint_step", "Step of the last checkpoint; -1: none.", Kind::kGauge, {},
       StepOfCheckpoint(status.last_checkpoint())},
      {"syncline_checkpoint_written_bytes", "Bytes that the last checkpoint wrote.", Kind::kGauge, {},
       number(status.checkpoint_written_bytes())},
      {"syncline_checkpoint_linked_bytes", "Bytes of earlier checkpoints' files that the last one links.", Kind::kGauge,
       {}, number(status.checkpoint_linked_bytes())},
  };
  if (status.loss_curve_size() > 0) {
    const LossPoint& last = *status.loss_curve().rbegin();
    metrics.push_back({"syncline_loss", "Mean training loss lately.", Kind::kGauge, {}, last.loss()});
    if (last.has_accuracy()) {
      metrics.push_back({"syncline_accuracy", "Part of the training samples classified correctly lately.", Kind::kGauge,
                         {}, last.accuracy()});
    }
  }
  for (const WorkerStatus& worker : status.workers()) {
    if (!worker.live()) continue;
    metrics.push_back({"syncline_worker_clock", "Steps committed by a worker.", Kind::kGauge,
                       {{"rank", absl::StrCat(worker.rank())}}, number(worker.progress().clock())});
    if (!worker.progress().has_train_auc()) continue;
    metrics.push_back({"syncline_worker_auc", "AUC of the samples a worker has trained on lately.", Kind::kGauge,
                       {{"rank", absl::StrCat(worker.rank())}}, worker.progress().train_auc()});
  }
  AddLoads(status, &metrics);
  for (const TableStatus& table : TablesOf(status)) AddTable(table, &metrics);
  return metrics;
}

}  // namespace syncline
