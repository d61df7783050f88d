#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/cluster/shard_map.h"
#include "common/cluster/tables.h"
#include "common/status/status_macros.h"
#include "deploy/cli/commands.h"
#include "deploy/cli/pulled_text.h"
#include "worker/client/await.h"
#include "worker/client/client.h"

namespace syncline {
namespace {

using Pulled = absl::StatusOr<Client::PullOutcome>;

absl::Status CheckAsked(const PullOptions& options) {
  if (options.servers.empty()) return absl::InvalidArgumentError("--servers is missing: name HOST:PORT of each");
  if (options.table.empty() == options.tensor.empty()) {
    return absl::InvalidArgumentError("--table, --tensor: name one of them");
  }
  if (options.table.empty() != options.keys.empty()) {
    return absl::InvalidArgumentError("--table and --keys go together");
  }
  return absl::OkStatus();
}

// Its place among the tables, or among the dense tensors, which come first.
absl::StatusOr<size_t> Find(const std::vector<TensorSpec>& tensors, const std::string& name, bool table) {
  std::vector<std::string> names;
  for (const TensorSpec& tensor : tensors) {
    if (IsTable(tensor) != table) continue;
    if (tensor.name() == name) return names.size();
    names.push_back(tensor.name());
  }
  return absl::InvalidArgumentError(absl::StrCat("there is no ", table ? "table " : "tensor ", name, "; there are: ",
                                                 names.empty() ? "none" : absl::StrJoin(names, ", ")));
}

absl::Status PrintRows(Client* client, const PullOptions& options) {
  SYNCLINE_ASSIGN_OR_RETURN(const size_t table, Find(client->tensors(), options.table, true));
  SYNCLINE_ASSIGN_OR_RETURN(const std::vector<NamedKey> named, ParseKeys(options.keys));
  std::vector<uint64_t> keys;
  for (const NamedKey& key : named) keys.push_back(key.key);
  std::vector<float> rows(keys.size() * client->job().tables(static_cast<int>(table)).dim());
  SYNCLINE_ASSIGN_OR_RETURN(const Client::PullOutcome outcome, Await<Pulled>([&](auto done) {
                              client->PullRows(0, {{table, keys, rows.data()}}, std::move(done));
                            }));
  const std::string text =
      options.json ? RowsJson(options.table, outcome.clock, named, rows) : RowsText(named, rows);
  std::fputs(text.c_str(), stdout);
  return absl::OkStatus();
}

absl::Status PrintTensor(Client* client, const PullOptions& options) {
  const std::vector<TensorSpec> tensors = client->tensors();
  SYNCLINE_ASSIGN_OR_RETURN(const size_t wanted, Find(tensors, options.tensor, false));
  std::vector<float> values(ElementCount(tensors[wanted]));
  std::vector<float*> to(tensors.size() - static_cast<size_t>(client->job().tables_size()));
  to[wanted] = values.data();
  std::vector<uint32_t> chunks;
  const std::vector<Client::Chunk> all = client->chunks();
  for (size_t chunk = 0; chunk < all.size(); ++chunk) {
    if (all[chunk].tensor == wanted) chunks.push_back(static_cast<uint32_t>(chunk));
  }
  SYNCLINE_ASSIGN_OR_RETURN(const Client::PullOutcome outcome, Await<Pulled>([&](auto done) {
                              client->PullChunks(0, chunks, {to}, std::move(done));
                            }));
  const std::vector<uint64_t> shape(tensors[wanted].shape().begin(), tensors[wanted].shape().end());
  const std::string text =
      options.json ? TensorJson(options.tensor, outcome.clock, shape, values) : TensorText(shape, values);
  std::fputs(text.c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int> RunPull(const PullOptions& options) {
  SYNCLINE_RETURN_IF_ERROR(CheckAsked(options));
  ClientOptions reading;
  reading.security = options.security;
  reading.deadline = options.patience;
  const std::vector<std::string> servers = absl::StrSplit(options.servers, ',', absl::SkipWhitespace());
  SYNCLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::ConnectToServers(reading, servers));
  const auto print = options.table.empty() ? PrintTensor : PrintRows;
  SYNCLINE_RETURN_IF_ERROR(print(client.get(), options));
  return 0;
}

}  // namespace syncline
