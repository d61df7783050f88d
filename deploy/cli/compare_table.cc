#include "deploy/cli/compare_table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/cluster/team_size.h"
#include "deploy/cli/progress.h"
#include "deploy/cli/table.h"

namespace syncline {
namespace {

const Strategy kStrategies[] = {{"ps-sync", SYNC, Strategy::kShards},
                                {"ps-bounded", BOUNDED, Strategy::kShards},
                                {"ps-async", ASYNC, Strategy::kShards},
                                {"allreduce", SYNC, Strategy::kAllReduce},
                                {"hierarchical", SYNC, Strategy::kHierarchical},
                                {"pipeline", SYNC, Strategy::kPipeline},
                                {"tensor", SYNC, Strategy::kTensor}};
constexpr uint32_t kMicroBatches = 4;

Aggregation AggregationOf(Strategy::Kind kind) {
  if (kind == Strategy::kAllReduce) return AGGREGATION_ALLREDUCE;
  return kind == Strategy::kHierarchical ? AGGREGATION_HIERARCHICAL : AGGREGATION_PS;
}

TableRow Row(const std::string& name, const ClusterStatusReply& status) {
  const WorkersTime time = TimeOf(status);
  double bytes = 0;
  for (const ShardStatusReply& shard : status.shards()) {
    bytes += static_cast<double>(shard.pushed_bytes() + shard.pulled_bytes());
  }
  for (const TeamStatus& team : status.teams()) {
    for (const TeamProcess& process : team.processes()) bytes += static_cast<double>(process.progress().sent_bytes());
  }
  const int points = status.loss_curve_size();
  const double samples = static_cast<double>(status.samples_total());
  return {name,
          points > 0 ? absl::StrFormat("%.4f", status.loss_curve(points - 1).loss()) : "-",
          status.has_test_loss() ? absl::StrFormat("%.4f", status.test_loss()) : "-",
          status.has_test_accuracy() ? absl::StrFormat("%.2f %%", 100 * status.test_accuracy()) : "-",
          absl::StrFormat("%.1f s", time.longest),
          time.longest > 0 ? absl::StrFormat("%.0f", samples / time.longest) : "-",
          time.total > 0 ? absl::StrFormat("%.0f %%", 100 * time.waited() / time.total) : "-",
          BytesText(bytes),
          absl::StrFormat("%.2f", StalenessOf(status).mean)};
}

}  // namespace

absl::StatusOr<std::vector<Strategy>> ParseStrategies(absl::string_view names) {
  std::vector<Strategy> strategies;
  for (const absl::string_view name : absl::StrSplit(names, ',')) {
    const auto is_it = [name](const Strategy& strategy) { return strategy.name == name; };
    const auto known = std::find_if(std::begin(kStrategies), std::end(kStrategies), is_it);
    if (known == std::end(kStrategies)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--strategies: \"", name, "\" is none; there are ",
          absl::StrJoin(kStrategies, ", ",
                        [](std::string* out, const Strategy& s) { absl::StrAppend(out, s.name); })));
    }
    if (std::any_of(strategies.begin(), strategies.end(), is_it)) {
      return absl::InvalidArgumentError(absl::StrCat("--strategies: ", name, " is there twice"));
    }
    strategies.push_back(*known);
  }
  return strategies;
}

void TrainBy(const Strategy& strategy, JobManifest* job) {
  job->set_sync_mode(strategy.mode);
  job->set_aggregation(AggregationOf(strategy.kind));
  Pipeline* const pipeline = job->mutable_pipeline();
  // As many workers share a replica of the model as the job says, or, if it says nothing, all.
  const auto shared_by = [&](Strategy::Kind kind, uint32_t says) {
    if (strategy.kind != kind) return 1u;
    return says > 1 ? says : job->workers();
  };
  const uint32_t stages = shared_by(Strategy::kPipeline, pipeline->stages());
  const uint32_t parts = shared_by(Strategy::kTensor, PartsAStage(*job));
  // A replica, on however many workers, takes batch_size samples.
  job->set_batch_size(std::max(job->batch_size() * stages * parts / ProcessesAReplica(*job), 1u));
  if (strategy.kind != Strategy::kPipeline) {
    pipeline->set_micro_batches(1);
  } else if (pipeline->stages() <= 1) {
    pipeline->set_micro_batches(std::min(kMicroBatches, job->batch_size()));
  }
  if (stages != pipeline->stages()) pipeline->set_layers("auto");
  pipeline->set_stages(stages);
  job->mutable_tensor_parallel()->set_size(parts);
}

std::string CompareTable(const std::vector<std::pair<std::string, ClusterStatusReply>>& runs) {
  std::vector<TableRow> rows = {{"strategy", "training loss", "test loss", "accuracy", "time", "samples/s",
                                 "waiting", "sent", "staleness"}};
  for (const auto& [name, status] : runs) rows.push_back(Row(name, status));
  return FormatTable(rows);
}

}  // namespace syncline
