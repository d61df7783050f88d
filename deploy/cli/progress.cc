#include "deploy/cli/progress.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/cluster/stage_layout.h"
#include "common/cluster/team_size.h"
#include "deploy/cli/table.h"

namespace syncline {
namespace {

constexpr int kBarWidth = 24;

void Add(const google::protobuf::RepeatedField<uint64_t>& counts, double* sum, double* count,
         uint64_t* max) {
  for (int value = 0; value < counts.size(); ++value) {
    if (counts[value] == 0) continue;
    *sum += static_cast<double>(value) * static_cast<double>(counts[value]);
    *count += static_cast<double>(counts[value]);
    *max = std::max<uint64_t>(*max, value);
  }
}

std::string Bar(double share) {
  const int full = static_cast<int>(std::clamp(share, 0.0, 1.0) * kBarWidth);
  return absl::StrCat("[", std::string(full, '#'), std::string(kBarWidth - full, '.'), "]");
}

// How long stages waited for each other, beside what no schedule can avoid, and what memory each took.
std::string StagesSummary(const ClusterStatusReply& status) {
  std::string idle, memory;
  for (const TeamStatus& team : status.teams()) {
    for (const TeamProcess& process : team.processes()) {
      const TeamProgress& p = process.progress();
      if (p.pipeline_seconds() <= 0) continue;
      absl::StrAppendFormat(&idle, "%s%.0f %%", idle.empty() ? "" : ", ",
                            100 * p.idle_seconds() / p.pipeline_seconds());
      absl::StrAppend(&memory, memory.empty() ? "" : ", ", BytesText(static_cast<double>(p.memory_bytes())));
    }
  }
  if (idle.empty()) return "";
  if (PartsAStage(status.job()) > 1) {
    return absl::StrFormat("parts           waited %s of the time for each other; memory %s\n", idle, memory);
  }
  const Pipeline& pipeline = status.job().pipeline();
  const double least = BubbleShare(static_cast<int>(pipeline.stages()), static_cast<int>(pipeline.micro_batches()));
  return absl::StrFormat("stages          idle %s of the time; at best %.0f %%; memory %s\n", idle, 100 * least, memory);
}

}  // namespace

std::string SumsText(const ClusterStatusReply& status) {
  std::string before;  // of those that have left
  for (const TeamStatus& team : status.teams()) {
    for (const TeamProcess& process : team.processes()) {
      const std::string& sums = process.progress().sums();
      if (!sums.empty() && !process.address().empty()) return sums;
      if (before.empty()) before = sums;
    }
  }
  return before;
}

Staleness StalenessOf(const ClusterStatusReply& status) {
  double sum = 0, count = 0;
  Staleness staleness;
  for (const ShardStatusReply& shard : status.shards()) {
    const bool async = status.job().sync_mode() == ASYNC;
    Add(async ? shard.version_staleness() : shard.clock_staleness(), &sum, &count, &staleness.max);
  }
  if (count > 0) staleness.mean = sum / count;
  return staleness;
}

// How well the model does of late, on samples before they are trained on.
std::string QualityText(const ClusterStatusReply& status) {
  if (status.loss_curve().empty()) return "loss -";
  const LossPoint& last = *status.loss_curve().rbegin();
  const Loss kind = status.job().model().loss();
  // Of the logistic loss the mean is the log loss.
  std::string text = absl::StrFormat("%s %.4f", kind == LOGISTIC ? "log loss" : "loss", last.loss());
  if (kind == MEAN_SQUARED_ERROR) absl::StrAppendFormat(&text, "  RMSE %.4f", std::sqrt(last.loss()));
  double auc = 0, workers = 0;
  for (const WorkerStatus& worker : status.workers()) {
    if (!worker.progress().has_train_auc()) continue;
    auc += worker.progress().train_auc();
    ++workers;
  }
  if (workers > 0) {
    absl::StrAppendFormat(&text, "  AUC %.4f", auc / workers);
  } else if (last.has_accuracy()) {
    absl::StrAppendFormat(&text, "  accuracy %.2f %%", 100 * last.accuracy());
  }
  return text;
}

std::string RowCacheText(const ClusterStatusReply& status) {
  uint64_t wanted = 0, found = 0;
  for (const WorkerStatus& worker : status.workers()) {
    wanted += worker.progress().cached_rows_wanted();
    found += worker.progress().cached_rows_found();
  }
  if (wanted == 0) return "";
  return absl::StrFormat("%.1f %% of %d rows", 100 * static_cast<double>(found) / static_cast<double>(wanted), wanted);
}

std::string ProgressLine(const ClusterStatusReply& status) {
  if (!status.waiting_for().empty()) return status.waiting_for();
  const double epochs = status.job().epochs();
  const std::string bar = Bar(epochs > 0 ? status.epoch() / epochs : 0);
  const Staleness staleness = StalenessOf(status);
  const std::string cached = RowCacheText(status);
  return absl::StrFormat("%s epoch %.2f/%d  step %d  %.0f samples/s  %s  staleness %.2f (max %d)%s",
                         bar, status.epoch(), status.job().epochs(), status.step(),
                         status.samples_per_second(), QualityText(status), staleness.mean, staleness.max,
                         cached.empty() ? "" : absl::StrCat("  cached ", cached));
}

int LiveWorkers(const ClusterStatusReply& status) {
  int live = 0;
  for (const WorkerStatus& worker : status.workers()) {
    if (worker.live()) live += static_cast<int>(std::max(worker.processes(), 1u));
  }
  return live;
}

std::string RescaleLine(const ClusterStatusReply& status, int workers) {
  const Rescale& rescale = status.rescale();
  std::string line = absl::StrCat(status.map().shards_size(), " shards, ", workers, " workers");
  if (rescale.total_bytes() > 0) {
    const double moved = static_cast<double>(rescale.moved_bytes());
    const double total = static_cast<double>(rescale.total_bytes());
    line = absl::StrCat(Bar(moved / total), " ", BytesText(moved), " of ", BytesText(total),
                        " of weights moved; ", line);
  }
  if (!rescale.waiting_for().empty()) absl::StrAppend(&line, "; ", rescale.waiting_for());
  return line;
}

WorkersTime TimeOf(const ClusterStatusReply& status) {
  WorkersTime time;
  for (const WorkerStatus& worker : status.workers()) {
    const WorkerProgress& progress = worker.progress();
    time.compute += progress.compute_seconds();
    time.pull_wait += progress.pull_wait_seconds();
    time.push_wait += progress.push_wait_seconds();
    time.communication += progress.communication_seconds();
    time.total += progress.total_seconds();
    time.longest = std::max(time.longest, progress.total_seconds());
  }
  return time;
}

std::string Summary(const ClusterStatusReply& status) {
  std::string text;
  const Loss loss = status.job().model().loss();
  if (status.has_test_accuracy()) {
    absl::StrAppendFormat(&text, "test accuracy   %.2f %%\n", 100 * status.test_accuracy());
  }
  if (status.has_test_auc()) absl::StrAppendFormat(&text, "test AUC        %.4f\n", status.test_auc());
  if (status.has_test_loss()) {
    // Of the logistic loss the mean is the log loss.
    absl::StrAppendFormat(&text, "%s%.4f\n", loss == LOGISTIC ? "test log loss   " : "test loss       ",
                          status.test_loss());
    if (loss == MEAN_SQUARED_ERROR) {
      absl::StrAppendFormat(&text, "test RMSE       %.4f\n", std::sqrt(status.test_loss()));
    }
  }
  const int points = status.loss_curve_size();
  if (points > 0) {
    absl::StrAppendFormat(&text, "training loss   %.4f\n", status.loss_curve(points - 1).loss());
  }
  const WorkersTime time = TimeOf(status);
  double apply = 0;
  for (const ShardStatusReply& shard : status.shards()) apply += shard.apply_seconds();
  if (time.longest > 0) {
    absl::StrAppendFormat(&text, "speed           %.0f samples/s\n",
                          static_cast<double>(status.samples_total()) / time.longest);
  }
  if (time.total > 0) {
    absl::StrAppendFormat(&text,
                          "workers' time   compute %.0f %%, pull wait %.0f %%, push wait %.0f %%; "
                          "shards applied for %.1f s\n",
                          100 * time.compute / time.total, 100 * time.pull_wait / time.total,
                          100 * time.push_wait / time.total, apply);
  }
  if (time.communication > 0) {
    absl::StrAppendFormat(&text, "communication   under way %.0f %% of the time, %.0f %% of that hidden\n",
                          100 * time.communication / time.total,
                          100 * std::max(0.0, 1 - time.waited() / time.communication));
  }
  absl::StrAppend(&text, StagesSummary(status));
  if (const std::string sums = SumsText(status); !sums.empty()) {
    absl::StrAppend(&text, "gradients       summed ", sums, "\n");
  }
  const Staleness staleness = StalenessOf(status);
  absl::StrAppendFormat(&text, "staleness       mean %.2f, max %d\n", staleness.mean,
                        staleness.max);
  const std::string cached = RowCacheText(status);
  if (!cached.empty()) absl::StrAppend(&text, "row cache       found ", cached, "\n");
  return text;
}

}  // namespace syncline
