#include "deploy/cli/top_table.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "deploy/cli/progress.h"
#include "deploy/cli/table.h"

namespace syncline {
namespace {

using Counts = google::protobuf::RepeatedField<uint64_t>;

std::string Percent(double part, double whole) {
  return whole > 0 ? absl::StrFormat("%.0f %%", 100 * std::clamp(part / whole, 0.0, 1.0)) : "-";
}

// A worker's or shard's earlier state; an empty one if it was not there, or has begun anew.
WorkerProgress Before(const ClusterStatusReply& status, const WorkerStatus& now) {
  for (const WorkerStatus& worker : status.workers()) {
    if (worker.rank() == now.rank() && worker.incarnation() == now.incarnation()) {
      return worker.progress();
    }
  }
  return {};
}

ShardStatusReply Before(const ClusterStatusReply& status, const ShardStatusReply& now) {
  for (const ShardStatusReply& shard : status.shards()) {
    if (shard.shard() == now.shard() && shard.pushes() <= now.pushes()) return shard;
  }
  return {};
}

TableRow WorkerRow(const WorkerStatus& worker, const WorkerProgress& before, double seconds) {
  const WorkerProgress& now = worker.progress();
  const double passed = now.total_seconds() - before.total_seconds();
  const double pull = now.pull_wait_seconds() - before.pull_wait_seconds();
  const double push = now.push_wait_seconds() - before.push_wait_seconds();
  const double busy = now.communication_seconds() - before.communication_seconds();
  const double samples = static_cast<double>(now.samples() - before.samples());
  return {absl::StrCat(worker.rank()),
          absl::StrCat(now.clock()),
          absl::StrFormat("%.0f", samples / seconds),
          Percent(now.compute_seconds() - before.compute_seconds(), passed),
          Percent(pull, passed),
          Percent(push, passed),
          Percent(busy - pull - push, busy),
          worker.live() ? worker.name() : absl::StrCat(worker.name(), " (gone)")};
}

TableRow ShardRow(const ShardStatusReply& now, const ShardStatusReply& before, double seconds) {
  const auto pushed = static_cast<double>(now.pushed_bytes() - before.pushed_bytes());
  const auto pulled = static_cast<double>(now.pulled_bytes() - before.pulled_bytes());
  const auto shared = static_cast<double>(now.shared_bytes() - before.shared_bytes());
  return {absl::StrCat(now.shard()),
          absl::StrCat(now.step()),
          BytesText(pushed / seconds) + "/s",
          BytesText(pulled / seconds) + "/s",
          Percent(shared, pushed + pulled),
          Percent(now.apply_seconds() - before.apply_seconds(), seconds),
          absl::StrCat(now.duplicates()),
          absl::StrCat(now.dropped()),
          absl::StrCat(now.waiting_size())};
}

TableRow StalenessRow(uint32_t shard, const char* what, const Counts& now, const Counts& before) {
  std::vector<uint64_t> counts(now.begin(), now.end());
  for (int value = 0; value < std::min(now.size(), before.size()); ++value) {
    counts[static_cast<size_t>(value)] -= std::min(before[value], now[value]);
  }
  TableRow row = {absl::StrCat(shard), what};
  for (std::string& cell : QuantileCells(counts)) row.push_back(std::move(cell));
  return row;
}

}  // namespace

std::string TopTable(const ClusterStatusReply& before, const ClusterStatusReply& after,
                     double seconds) {
  std::vector<TableRow> workers = {
      {"rank", "clock", "samples/s", "compute", "pull wait", "push wait", "hidden", "name"}};
  for (const WorkerStatus& worker : after.workers()) {
    workers.push_back(WorkerRow(worker, Before(before, worker), seconds));
  }
  std::vector<TableRow> shards = {{"shard", "step", "pushed", "pulled", "shared", "applying",
                                   "duplicates", "dropped", "pulls waiting"}};
  std::vector<TableRow> staleness = {{"shard", "staleness", "mean", "p50", "p99", "max"}};
  for (const ShardStatusReply& shard : after.shards()) {
    const ShardStatusReply earlier = Before(before, shard);
    shards.push_back(ShardRow(shard, earlier, seconds));
    staleness.push_back(StalenessRow(shard.shard(), "clocks ahead at a pull",
                                     shard.clock_staleness(), earlier.clock_staleness()));
    staleness.push_back(StalenessRow(shard.shard(), "updates missed by a push",
                                     shard.version_staleness(), earlier.version_staleness()));
  }
  return absl::StrCat(after.job().name(), "  ", ProgressLine(after), "\n\n", FormatTable(workers),
                      "\n", FormatTable(shards), "\n", FormatTable(staleness));
}

}  // namespace syncline
