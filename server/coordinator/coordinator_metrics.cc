#include "server/coordinator/coordinator_metrics.h"

#include <string>

#include "absl/strings/str_cat.h"
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
  return metrics;
}

}  // namespace syncline
