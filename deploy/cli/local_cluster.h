#ifndef SYNCLINE_DEPLOY_CLI_LOCAL_CLUSTER_H_
#define SYNCLINE_DEPLOY_CLI_LOCAL_CLUSTER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "deploy/cli/child_process.h"
#include "proto/coordinator.pb.h"
#include "proto/job.pb.h"

namespace syncline {

// A whole cluster as child processes on loopback: a coordinator, the job's shards and workers.
// Their logs lie in OUTPUT/logs, the complete manifest in OUTPUT/job.yaml. When this object goes,
// all of them are gone. Not thread-safe.
class LocalCluster {
 public:
  struct Options {
    JobManifest job;
    std::string output;   // a folder that is there
    std::string bin_dir;  // of the daemons; empty: where the build put them, beside this program
    std::string restore;  // passed on to the coordinator
    std::string log_level = "info";
    uint64_t table_memory = 0;  // of each shard, for rows of tables; what does not fit goes to OUTPUT/rows. 0: no limit
  };

  static absl::StatusOr<std::unique_ptr<LocalCluster>> Start(const Options& options);

  // host:port of the coordinator.
  const std::string& coordinator() const { return address_; }

  // An error, with the last lines of its log, for a member that has failed.
  absl::Status CheckMembers();
  // Starts a shard or worker in place of one that was killed (SIGKILL), whose name is returned; the job goes
  // on with it. Empty if there is none.
  absl::StatusOr<std::string> ReplaceKilled();
  // Starts what the job lacks of the shards and workers it is to have by now (syncline scale). Those that
  // are too many end by themselves.
  absl::Status Follow(const Rescale& wanted);
  // Lets all members end in good order; those that have not after `patience` are killed.
  void Stop(absl::Duration patience);

 private:
  explicit LocalCluster(const Options& options) : options_(options) {}
  absl::Status StartMember(const std::string& name, std::vector<std::string> arguments);
  absl::Status StartShard();
  absl::Status StartWorker(const std::string& name);
  std::string NextWorker() { return absl::StrCat("worker-", workers_++); }
  // Members whose names begin so and that have not ended.
  uint32_t Running(const std::string& prefix);
  absl::Status WaitForPort(const std::string& file);

  const Options options_;
  std::string address_;
  int shards_ = 0;  // started so far
  int workers_ = 0;
  // The coordinator first.
  std::vector<std::unique_ptr<ChildProcess>> members_;
};

}  // namespace syncline

#endif  // SYNCLINE_DEPLOY_CLI_LOCAL_CLUSTER_H_
