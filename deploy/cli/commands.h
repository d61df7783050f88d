#ifndef SYNCLINE_DEPLOY_CLI_COMMANDS_H_
#define SYNCLINE_DEPLOY_CLI_COMMANDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/config/manifest.h"
#include "common/rpc/security.h"

namespace syncline {

// The commands of `syncline`, less the reading of flags. Each prints to stdout, tells errors by its
// status, and returns main()'s exit code.

struct LocalOptions {
  std::string file;    // the manifest
  std::vector<FieldOverride> overrides;
  std::string output;  // made if it is not there; empty: output/NAME-TIME
  std::string bin_dir;
  std::string restore;
  std::string log_level;
  // Of each shard, for rows of tables; 0: no limit.
  uint64_t table_memory = 0;
};
// Runs a job on this machine to its end, or to SIGINT or SIGTERM (exit code 130 or 143).
absl::StatusOr<int> RunLocal(const LocalOptions& options);

// Runs the job by each of `strategies` ("ps-sync,ps-async") in turn, as RunLocal does, and shows them side by side: a
// table, and pictures of the loss.
absl::StatusOr<int> RunCompare(const LocalOptions& options, const std::string& strategies);

struct ClusterOptions {
  std::string coordinator;
  SecurityOptions security;
};
absl::StatusOr<int> RunStatus(const ClusterOptions& options, bool json);
// A table each `interval`, `count` times or (0) until the job is finished.
absl::StatusOr<int> RunTop(const ClusterOptions& options, absl::Duration interval, uint64_t count);
absl::StatusOr<int> RunCheckpoint(const ClusterOptions& options);
// `shard`: host:port of the only one to go; empty: the whole job.
absl::StatusOr<int> RunDrain(const ClusterOptions& options, const std::string& shard);

// Has the job run with so many shards and workers as the overrides of these two fields say, and shows how
// it comes to that, unless `wait` is false. Interrupting it stops nothing but the showing.
absl::StatusOr<int> RunScale(const ClusterOptions& options,
                             const std::vector<FieldOverride>& overrides, bool wait);
// The same, by what the job's manifest says now; all else in it must be as the job was started.
absl::StatusOr<int> RunApply(const ClusterOptions& options, const std::string& file,
                             const std::vector<FieldOverride>& overrides, bool wait);

// What is pulled of what servers of checkpoints serve (syncline-ps --read_only).
struct PullOptions {
  std::string servers;  // host:port, between commas: of all parts
  // Rows of a table under some keys, between commas: a number, or FIELD=VALUE for the key that data readers make of it.
  std::string table;
  std::string keys;
  // Or a tensor.
  std::string tensor;
  bool json = false;
  absl::Duration patience;
  SecurityOptions security;
};
// Prints them as text, "KEY NUMBER ..." a line, or as JSON.
absl::StatusOr<int> RunPull(const PullOptions& options);

// `checkpoint`: a checkpoint's folder, or one that holds several, of which the newest is taken. `parts`: files to
// write, 0: one for each of its shards.
absl::StatusOr<int> RunExport(const std::string& checkpoint, const std::string& to, uint32_t parts);

// A line for each checkpoint in the folder, or of the one that it is; exit code 1 if one is damaged.
absl::StatusOr<int> RunVerify(const std::string& checkpoint);

}  // namespace syncline

#endif  // SYNCLINE_DEPLOY_CLI_COMMANDS_H_
