#include "deploy/cli/status_table.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/cluster/table_status.h"
#include "common/cluster/team_size.h"
#include "deploy/cli/progress.h"
#include "deploy/cli/table.h"
#include "google/protobuf/util/json_util.h"

namespace syncline {
namespace {

// A worker that takes so many times as long for a step as most others is called a straggler.
constexpr double kStraggles = 1.5;

// A row for a histogram of values counted from 0.
TableRow Quantiles(uint32_t shard, const char* what,
                   const google::protobuf::RepeatedField<uint64_t>& counts) {
  TableRow row = {absl::StrCat(shard), what};
  const std::vector<uint64_t> values(counts.begin(), counts.end());
  for (std::string& cell : QuantileCells(values)) row.push_back(std::move(cell));
  return row;
}

// Seconds a worker takes for a step by itself, without what it waits for others; 0: not known.
double OwnTime(const WorkerStatus& worker) {
  const WorkerProgress& p = worker.progress();
  if (!worker.live() || p.clock() == 0) return 0;
  const double own = p.total_seconds() - p.pull_wait_seconds() - p.push_wait_seconds();
  return own / static_cast<double>(p.clock());
}

// What most workers take.
double UsualTime(const ClusterStatusReply& status) {
  std::vector<double> times;
  for (const WorkerStatus& worker : status.workers()) {
    if (const double own = OwnTime(worker); own > 0) times.push_back(own);
  }
  if (times.empty()) return 0;
  const auto middle = times.begin() + (times.size() - 1) / 2;
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

std::string WorkerState(const WorkerStatus& worker, double usual) {
  if (!worker.live()) return "gone";
  const double own = OwnTime(worker);
  if (usual <= 0 || own < kStraggles * usual) return "live";
  return absl::StrFormat("straggler (%.1fx)", own / usual);
}

// Empty if no shard has rows.
std::string RowsTable(const ClusterStatusReply& status) {
  std::vector<TableRow> table = {{"shard", "rows", "on disk", "memory", "of", "disk", "hit rate"}};
  for (const ShardStatusReply& shard : status.shards()) {
    const RowMemory& rows = shard.row_memory();
    if (rows.rows() == 0) continue;
    const double missed = static_cast<double>(rows.fetched()) / static_cast<double>(std::max<uint64_t>(rows.asked(), 1));
    table.push_back({absl::StrCat(shard.shard()), absl::StrCat(rows.rows()), absl::StrCat(rows.cold_rows()),
                     BytesText(static_cast<double>(rows.memory_bytes())),
                     rows.memory_limit() == 0 ? "-" : BytesText(static_cast<double>(rows.memory_limit())),
                     BytesText(static_cast<double>(rows.disk_bytes())),
                     rows.asked() == 0 ? "-" : absl::StrFormat("%.2f %%", 100 * (1 - missed))});
  }
  return table.size() == 1 ? "" : absl::StrCat("\nrows of tables\n", FormatTable(table));
}

// Nothing for a job without tables.
std::string TablesText(const ClusterStatusReply& status) {
  std::vector<TableRow> rows = {{"table", "rows", "memory", "admitted", "refused", "evicted"}};
  for (const TableStatus& table : TablesOf(status)) {
    rows.push_back({table.name(), absl::StrCat(table.rows()), BytesText(static_cast<double>(table.bytes())),
                    absl::StrCat(table.admitted()), absl::StrCat(table.refused()), absl::StrCat(table.evicted())});
  }
  return rows.size() > 1 ? absl::StrCat("\ntables\n", FormatTable(rows)) : "";
}

}  // namespace

std::string StatusTable(const ClusterStatusReply& status) {
  std::string text = absl::StrFormat(
      "job %s: %s, %s, epoch %.2f of %d, step %d, %.0f samples/s\n", status.job().name(),
      absl::AsciiStrToLower(ClusterStatusReply::Phase_Name(status.phase())),
      absl::AsciiStrToLower(SyncMode_Name(status.job().sync_mode())), status.epoch(),
      status.job().epochs(), status.step(), status.samples_per_second());
  if (!status.waiting_for().empty()) absl::StrAppend(&text, status.waiting_for(), "\n");
  if (status.rescale().moving() || !status.rescale().waiting_for().empty()) {
    absl::StrAppend(&text, RescaleLine(status, LiveWorkers(status)), "\n");
  }
  if (!status.last_checkpoint().empty()) {
    absl::StrAppend(&text, "last checkpoint: ", status.last_checkpoint());
    if (status.checkpoint_written_bytes() > 0) {
      absl::StrAppendFormat(&text, ", %.1f MB written, %.1f MB linked from earlier ones",
                            static_cast<double>(status.checkpoint_written_bytes()) * 1e-6,
                            static_cast<double>(status.checkpoint_linked_bytes()) * 1e-6);
    }
    absl::StrAppend(&text, "\n");
  }
  if (const std::string sums = SumsText(status); !sums.empty()) {
    absl::StrAppend(&text, "gradients are summed ", sums, "\n");
  }

  std::vector<TableRow> workers = {{"rank", "incarnation", "clock", "samples", "state", "name"}};
  const double usual = UsualTime(status);
  for (const WorkerStatus& worker : status.workers()) {
    workers.push_back({absl::StrCat(worker.rank()), absl::StrCat(worker.incarnation()),
                       absl::StrCat(worker.progress().clock()),
                       absl::StrCat(worker.progress().samples()), WorkerState(worker, usual),
                       worker.processes() > 1
                           ? absl::StrCat(worker.name(), " (", worker.processes(), " processes)")
                           : worker.name()});
  }
  absl::StrAppend(&text, "\nworkers\n", FormatTable(workers));
  const std::string cached = RowCacheText(status);
  if (!cached.empty()) absl::StrAppend(&text, "their row caches found ", cached, "\n");

  const int parts = static_cast<int>(PartsAStage(status.job()));
  std::vector<TableRow> stages = {{"replica", "stage", "part", "layers", "memory", "idle", "process"}};
  for (int team = 0; team < status.teams_size(); ++team) {
    for (int place = 0; place < status.teams(team).processes_size(); ++place) {
      const TeamProcess& process = status.teams(team).processes(place);
      const TeamProgress& p = process.progress();
      stages.push_back({absl::StrCat(team), absl::StrCat(place / parts),
                        absl::StrCat(place % parts), p.layers(),
                        BytesText(static_cast<double>(p.memory_bytes())),
                        p.pipeline_seconds() > 0
                            ? absl::StrFormat("%.1f %%", 100 * p.idle_seconds() / p.pipeline_seconds())
                            : "-",
                        process.address().empty() ? "nobody" : process.name()});
    }
  }
  if (stages.size() > 1) absl::StrAppend(&text, "\nstages\n", FormatTable(stages));

  const double load = std::accumulate(status.shard_load().begin(), status.shard_load().end(), 0.0);
  std::vector<TableRow> shards = {{"shard", "step", "chunks", "copies", "weights", "load", "pushed", "pulled",
                                   "duplicates", "dropped", "address"}};
  for (const ShardStatusReply& shard : status.shards()) {
    const int index = static_cast<int>(shard.shard());
    shards.push_back({absl::StrCat(index), absl::StrCat(shard.step()),
                      absl::StrCat(shard.chunks()), absl::StrCat(shard.copies()),
                      BytesText(static_cast<double>(shard.bytes())),
                      load > 0 && index < status.shard_load_size()
                          ? absl::StrFormat("%.0f %%", 100 * status.shard_load(index) / load)
                          : "-",
                      BytesText(static_cast<double>(shard.pushed_bytes())),
                      BytesText(static_cast<double>(shard.pulled_bytes())),
                      absl::StrCat(shard.duplicates()), absl::StrCat(shard.dropped()),
                      index < status.map().shards_size() ? status.map().shards(index) : "-"});
  }
  absl::StrAppend(&text, "\nshards\n", FormatTable(shards));

  absl::StrAppend(&text, RowsTable(status));

  if (status.rescale().load_moved_bytes() > 0) {
    absl::StrAppend(&text, BytesText(static_cast<double>(status.rescale().load_moved_bytes())),
                    " of weights moved because of their load\n");
  }
  absl::StrAppend(&text, TablesText(status));

  std::vector<TableRow> staleness = {{"shard", "staleness", "mean", "p50", "p99", "max"}};
  std::string waiting;
  for (const ShardStatusReply& shard : status.shards()) {
    staleness.push_back(
        Quantiles(shard.shard(), "clocks ahead at a pull", shard.clock_staleness()));
    staleness.push_back(
        Quantiles(shard.shard(), "updates missed by a push", shard.version_staleness()));
    for (const std::string& line : shard.waiting()) {
      absl::StrAppend(&waiting, "  shard ", shard.shard(), ": ", line, "\n");
    }
  }
  absl::StrAppend(&text, "\nstaleness\n", FormatTable(staleness));
  if (!waiting.empty()) absl::StrAppend(&text, "\nwaiting\n", waiting);
  return text;
}

std::string StatusJson(const ClusterStatusReply& status) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto printed = google::protobuf::util::MessageToJsonString(status, &json, options);
  return printed.ok() ? json : absl::StrCat("{\"error\": \"", printed.ToString(), "\"}\n");
}

}  // namespace syncline
