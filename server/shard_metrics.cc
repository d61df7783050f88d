#include "server/shard_metrics.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace syncline {
namespace {

using Kind = Metric::Kind;

// One counter for each value that was seen.
void AddHistogram(const std::string& name, const std::string& help,
                  const google::protobuf::RepeatedField<uint64_t>& counts,
                  std::vector<Metric>* metrics) {
  for (int value = 0; value < counts.size(); ++value) {
    if (counts[value] == 0) continue;
    metrics->push_back({name, help, Kind::kCounter, {{"staleness", absl::StrCat(value)}},
                        static_cast<double>(counts[value])});
  }
}

void AddRowMemory(const RowMemory& tables, std::vector<Metric>* metrics) {
  const auto add = [metrics](const char* name, const char* help, Kind kind, uint64_t value) {
    metrics->push_back({name, help, kind, {}, static_cast<double>(value)});
  };
  add("syncline_shard_rows", "Rows of tables, copies among them.", Kind::kGauge, tables.rows());
  add("syncline_shard_cold_rows", "Rows that are on disk.", Kind::kGauge, tables.cold_rows());
  add("syncline_shard_table_bytes", "Memory of rows and of what finds them.", Kind::kGauge, tables.memory_bytes());
  add("syncline_shard_table_limit_bytes", "--table_memory; 0: no limit.", Kind::kGauge, tables.memory_limit());
  add("syncline_shard_rows_asked_total", "Rows named by pulls and pushes.", Kind::kCounter, tables.asked());
  add("syncline_shard_rows_fetched_total", "Of these, rows that had to be read from disk.", Kind::kCounter,
      tables.fetched());
  add("syncline_shard_cold_bytes", "Bytes that rows take on disk.", Kind::kGauge, tables.disk_bytes());
  add("syncline_shard_cold_reads_total", "Reads of rows from disk.", Kind::kCounter, tables.reads());
  add("syncline_shard_cold_read_bytes_total", "Bytes of rows read from disk.", Kind::kCounter, tables.read_bytes());
  add("syncline_shard_cold_writes_total", "Writes of rows to disk.", Kind::kCounter, tables.writes());
  add("syncline_shard_cold_written_bytes_total", "Bytes of rows written to disk.", Kind::kCounter,
      tables.written_bytes());
  add("syncline_shard_cold_failed_writes_total", "Writes that failed; the rows stayed in memory.", Kind::kCounter,
      tables.failed_writes());
}

void AddTable(const TableStatus& table, std::vector<Metric>* metrics) {
  const auto add = [&](const std::string& name, const std::string& help, Kind kind, uint64_t value) {
    metrics->push_back({"syncline_shard_table_" + name, help, kind, {{"table", table.name()}}, static_cast<double>(value)});
  };
  add("rows", "Rows of a table that the shard owns.", Kind::kGauge, table.rows());
  add("bytes", "Memory that they take, state and index too.", Kind::kGauge, table.bytes());
  add("admitted_total", "Rows stored for keys that had none.", Kind::kCounter, table.admitted());
  add("refused_total", "Pushes of keys that got no row.", Kind::kCounter, table.refused());
  add("evicted_total", "Rows evicted.", Kind::kCounter, table.evicted());
  add("expired_total", "Of them, for their age in seconds.", Kind::kCounter, table.expired());
}

}  // namespace

std::vector<Metric> ShardMetrics(const ShardStatusReply& status) {
  const auto number = [](uint64_t value) { return static_cast<double>(value); };
  std::vector<Metric> metrics = {
      {"syncline_shard_step", "Step being collected, or the lowest live clock.", Kind::kGauge, {},
       number(status.step())},
      {"syncline_shard_bytes", "Bytes of weights held.", Kind::kGauge, {}, number(status.bytes())},
      {"syncline_shard_pushes_total", "Push messages.", Kind::kCounter, {},
       number(status.pushes())},
      {"syncline_shard_pushed_bytes_total", "Bytes of gradients received.", Kind::kCounter, {},
       number(status.pushed_bytes())},
      {"syncline_shard_pulled_bytes_total", "Bytes of weights sent.", Kind::kCounter, {},
       number(status.pulled_bytes())},
      {"syncline_shard_unchanged_bytes_total",
       "Bytes of weights asked for and not sent, because the puller had them.", Kind::kCounter, {},
       number(status.unchanged_bytes())},
      {"syncline_shard_shared_bytes_total", "Of the bytes received and sent, through shared memory.",
       Kind::kCounter, {}, number(status.shared_bytes())},
      {"syncline_shard_segments", "Blocks of memory that workers on this host lend.", Kind::kGauge,
       {}, number(status.segments())},
      {"syncline_shard_duplicates_total", "Chunks pushed again and not applied again.",
       Kind::kCounter, {}, number(status.duplicates())},
      {"syncline_shard_dropped_total", "Contributions that came too late for their step.",
       Kind::kCounter, {}, number(status.dropped())},
      {"syncline_shard_nonfinite_total", "Chunks of gradients with NaN or infinity.",
       Kind::kCounter, {}, number(status.nonfinite())},
      {"syncline_shard_apply_seconds_total", "Seconds spent in updates.", Kind::kCounter, {},
       status.apply_seconds()},
      {"syncline_shard_load_bytes_total", "Bytes of gradients taken and of weights read.", Kind::kCounter, {},
       number(status.load_bytes())},
  };
  for (const TableStatus& table : status.tables()) AddTable(table, &metrics);
  for (const MemberClock& member : status.members()) {
    metrics.push_back({"syncline_shard_member_clock", "Steps committed by a worker.", Kind::kGauge,
                       {{"rank", absl::StrCat(member.rank())}}, number(member.clock())});
  }
  AddRowMemory(status.row_memory(), &metrics);
  AddHistogram("syncline_shard_clock_staleness_total",
               "Pulls by how far the puller was ahead of the slowest worker.",
               status.clock_staleness(), &metrics);
  AddHistogram("syncline_shard_version_staleness_total",
               "Pushes by how many updates of others the pusher had not seen.",
               status.version_staleness(), &metrics);
  return metrics;
}

}  // namespace syncline
