#include "deploy/cli/local_cluster.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/config/manifest_writer.h"
#include "common/io/file_system.h"
#include "common/io/posix_file_system.h"
#include "common/status/status_macros.h"
#include "common/time/steady_now.h"

namespace syncline {
namespace {

// The folder of this program.
std::string OwnFolder() {
  char path[PATH_MAX] = "";
  const ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
  return size <= 0 ? "." : ParentFolder(std::string(path, static_cast<size_t>(size)));
}

// Where a daemon is: in --bin_dir, or where the build or an installation put it.
std::string FindProgram(const std::string& bin_dir, const std::string& folder,
                        const std::string& name) {
  if (!bin_dir.empty()) return absl::StrCat(bin_dir, "/", name);
  const std::string own = OwnFolder();
  const std::string beside = absl::StrCat(own, "/", name);
  if (access(beside.c_str(), X_OK) == 0) return beside;
  return absl::StrCat(own, "/../../", folder, "/", name);
}

}  // namespace

absl::Status LocalCluster::StartMember(const std::string& name,
                                       std::vector<std::string> arguments) {
  arguments.push_back(absl::StrCat("--log_level=", options_.log_level));
  SYNCLINE_ASSIGN_OR_RETURN(
      auto member, ChildProcess::Start(name, std::move(arguments),
                                       absl::StrCat(options_.output, "/logs/", name, ".log")));
  members_.push_back(std::move(member));
  return absl::OkStatus();
}

absl::Status LocalCluster::StartShard() {
  std::vector<std::string> arguments = {FindProgram(options_.bin_dir, "server", "syncline-ps"),
                                        absl::StrCat("--coordinator=", address_)};
  if (options_.table_memory > 0) {
    arguments.push_back(absl::StrCat("--table_memory=", options_.table_memory));
    arguments.push_back(absl::StrCat("--table_folder=", options_.output, "/rows"));
  }
  return StartMember(absl::StrCat("ps-", shards_++), std::move(arguments));
}

absl::Status LocalCluster::StartWorker(const std::string& name) {
  return StartMember(name, {FindProgram(options_.bin_dir, "worker", "syncline-worker"),
                            absl::StrCat("--coordinator=", address_),
                            absl::StrCat("--name=", name)});
}

uint32_t LocalCluster::Running(const std::string& prefix) {
  return static_cast<uint32_t>(
      std::count_if(members_.begin(), members_.end(), [&](const auto& member) {
        return absl::StartsWith(member->name(), prefix) && !member->Poll();
      }));
}

absl::StatusOr<std::string> LocalCluster::ReplaceKilled() {
  // Nobody takes the place of the coordinator, which is the first.
  for (size_t i = 1; i < members_.size(); ++i) {
    if (members_[i]->Poll() != 128 + SIGKILL) continue;
    const std::string name = members_[i]->name();
    members_.erase(members_.begin() + static_cast<ptrdiff_t>(i));
    // By its name the coordinator knows whose place a worker takes.
    SYNCLINE_RETURN_IF_ERROR(absl::StartsWith(name, "ps-") ? StartShard() : StartWorker(name));
    return name;
  }
  return std::string();
}

absl::Status LocalCluster::Follow(const Rescale& wanted) {
  for (uint32_t i = Running("ps-"); i < wanted.target(); ++i) {
    SYNCLINE_RETURN_IF_ERROR(StartShard());
  }
  for (uint32_t i = Running("worker-"); i < wanted.target_workers(); ++i) {
    SYNCLINE_RETURN_IF_ERROR(StartWorker(NextWorker()));
  }
  return absl::OkStatus();
}

absl::Status LocalCluster::WaitForPort(const std::string& file) {
  const absl::Time deadline = SteadyNow() + absl::Seconds(30);
  while (SteadyNow() < deadline) {
    SYNCLINE_RETURN_IF_ERROR(CheckMembers());
    const auto text = ReadFile(PosixFileSystem(), file);
    if (text.ok()) {
      const std::vector<std::string> lines = absl::StrSplit(*text, '\n');
      address_ = lines[0];
      return absl::OkStatus();
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
  return absl::DeadlineExceededError("the coordinator did not say where it listens within 30 s");
}

absl::StatusOr<std::unique_ptr<LocalCluster>> LocalCluster::Start(const Options& options) {
  FileSystem& files = PosixFileSystem();
  const std::string manifest = absl::StrCat(options.output, "/job.yaml");
  const std::string ports = absl::StrCat(options.output, "/logs/coordinator.port");
  SYNCLINE_RETURN_IF_ERROR(files.CreateFolder(absl::StrCat(options.output, "/logs")));
  SYNCLINE_RETURN_IF_ERROR(WriteFileAtomically(files, manifest, SerializeManifest(options.job)));
  if (files.Exists(ports)) SYNCLINE_RETURN_IF_ERROR(files.RemoveFile(ports));

  std::unique_ptr<LocalCluster> cluster(new LocalCluster(options));
  std::vector<std::string> coordinator = {
      FindProgram(options.bin_dir, "server/coordinator", "syncline-coordinator"),
      absl::StrCat("--job=", manifest), absl::StrCat("--port_file=", ports),
      "--metadata=none"};  // all of them end with this process
  if (!options.restore.empty()) coordinator.push_back(absl::StrCat("--restore=", options.restore));
  SYNCLINE_RETURN_IF_ERROR(cluster->StartMember("coordinator", std::move(coordinator)));
  SYNCLINE_RETURN_IF_ERROR(cluster->WaitForPort(ports));
  for (uint32_t i = 0; i < options.job.shards(); ++i) {
    SYNCLINE_RETURN_IF_ERROR(cluster->StartShard());
  }
  for (uint32_t i = 0; i < options.job.workers(); ++i) {
    SYNCLINE_RETURN_IF_ERROR(cluster->StartWorker(cluster->NextWorker()));
  }
  return cluster;
}

absl::Status LocalCluster::CheckMembers() {
  for (const auto& member : members_) {
    const std::optional<int> status = member->Poll();
    if (!status || *status == 0) continue;
    return absl::UnavailableError(absl::StrCat(member->name(), " ended with status ", *status,
                                               "; the end of ", member->log(), ":\n",
                                               LastLines(member->log(), 8)));
  }
  return absl::OkStatus();
}

void LocalCluster::Stop(absl::Duration patience) {
  const absl::Time deadline = SteadyNow() + patience;
  // The coordinator ends the job in good order; nobody else has to be told before it is done.
  if (members_.empty()) return;
  members_[0]->Terminate();
  members_[0]->WaitFor(patience);
  // Told twice it would end without its checkpoint.
  for (size_t i = 1; i < members_.size(); ++i) members_[i]->Terminate();
  for (const auto& member : members_) {
    if (!member->WaitFor(std::max(deadline - SteadyNow(), absl::Seconds(2)))) member->Kill();
  }
  for (const auto& member : members_) member->WaitFor(absl::Seconds(10));
}

}  // namespace syncline
