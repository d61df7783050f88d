#include "deploy/cli/status_table.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "deploy/cli/progress.h"
#include "google/protobuf/util/json_util.h"

namespace syncline {
namespace {

using Row = std::vector<std::string>;

// Columns as wide as their widest cell; numbers to the right.
std::string Format(const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows[0].size());
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      absl::StrAppendFormat(&line, "%*s  ", static_cast<int>(widths[i]), row[i]);
    }
    absl::StripTrailingAsciiWhitespace(&line);
    absl::StrAppend(&text, "  ", line, "\n");
  }
  return text;
}

std::string Bytes(uint64_t bytes) {
  const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= 1024 && unit < 4) value /= 1024, ++unit;
  return absl::StrFormat("%.*f %s", unit == 0 ? 0 : 1, value, units[unit]);
}

// A row for a histogram of values counted from 0: its mean, quantiles and highest value.
Row Quantiles(uint32_t shard, const char* what,
              const google::protobuf::RepeatedField<uint64_t>& counts) {
  double count = 0, sum = 0;
  for (int value = 0; value < counts.size(); ++value) {
    count += static_cast<double>(counts[value]);
    sum += static_cast<double>(value) * static_cast<double>(counts[value]);
  }
  Row row = {absl::StrCat(shard), what};
  if (count == 0) {
    row.resize(6, "-");
    return row;
  }
  row.push_back(absl::StrFormat("%.2f", sum / count));
  for (const double quantile : {0.5, 0.99, 1.0}) {
    double below = 0;
    int value = -1;
    while (below < quantile * count) below += static_cast<double>(counts[++value]);
    row.push_back(absl::StrCat(value));
  }
  return row;
}

}  // namespace

std::string StatusTable(const ClusterStatusReply& status) {
  std::string text = absl::StrFormat(
      "job %s: %s, %s, epoch %.2f of %d, step %d, %.0f samples/s\n", status.job().name(),
      absl::AsciiStrToLower(ClusterStatusReply::Phase_Name(status.phase())),
      absl::AsciiStrToLower(SyncMode_Name(status.job().sync_mode())), status.epoch(),
      status.job().epochs(), status.step(), status.samples_per_second());
  if (!status.waiting_for().empty()) absl::StrAppend(&text, status.waiting_for(), "\n");
  if (!status.last_checkpoint().empty()) {
    absl::StrAppend(&text, "last checkpoint: ", status.last_checkpoint(), "\n");
  }

  std::vector<Row> workers = {{"rank", "incarnation", "clock", "samples", "state", "name"}};
  for (const WorkerStatus& worker : status.workers()) {
    workers.push_back({absl::StrCat(worker.rank()), absl::StrCat(worker.incarnation()),
                       absl::StrCat(worker.progress().clock()),
                       absl::StrCat(worker.progress().samples()), worker.live() ? "live" : "gone",
                       worker.name()});
  }
  absl::StrAppend(&text, "\nworkers\n", Format(workers));

  std::vector<Row> shards = {{"shard", "step", "chunks", "weights", "pushed", "pulled",
                              "duplicates", "dropped", "address"}};
  for (const ShardStatusReply& shard : status.shards()) {
    const int index = static_cast<int>(shard.shard());
    shards.push_back({absl::StrCat(index), absl::StrCat(shard.step()),
                      absl::StrCat(shard.chunks()), Bytes(shard.bytes()),
                      Bytes(shard.pushed_bytes()), Bytes(shard.pulled_bytes()),
                      absl::StrCat(shard.duplicates()), absl::StrCat(shard.dropped()),
                      index < status.map().shards_size() ? status.map().shards(index) : "-"});
  }
  absl::StrAppend(&text, "\nshards\n", Format(shards));

  std::vector<Row> staleness = {{"shard", "staleness", "mean", "p50", "p99", "max"}};
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
  absl::StrAppend(&text, "\nstaleness\n", Format(staleness));
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
