#include "tests/integration/process_cluster.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"

namespace syncline {

void ProcessCluster::Start(const std::string& name, std::vector<std::string> arguments) {
  arguments.push_back(absl::StrCat("--coordinator=", coordinator()));
  auto process = ChildProcess::Start(name, std::move(arguments), absl::StrCat(logs_, "/", name));
  SYNCLINE_ASSERT_OK(process.status());
  processes_[name] = *std::move(process);
}

void ProcessCluster::StartShard(const std::string& name, const std::string& failpoint) {
  Start(name, {"/usr/bin/env", absl::StrCat("SYNCLINE_FAILPOINT=", failpoint), "server/syncline-ps"});
}

void ProcessCluster::StartWorker(const std::string& name, const std::string& step_delay, const std::string& host) {
  Start(name, {"worker/syncline-worker", absl::StrCat("--name=", name),
               absl::StrCat("--step_delay=", step_delay), absl::StrCat("--host=", host), "--http_port=-1"});
}

void ProcessCluster::KillAll() {
  for (const auto& [name, process] : processes_) process->Kill();
}

absl::Status ProcessCluster::WaitForStep(uint64_t step) {
  return WaitUntil([step](const ClusterStatusReply& status) {
    return status.phase() == ClusterStatusReply::TRAINING && status.step() >= step;
  });
}

Weights ProcessCluster::FinishedWeights() {
  SYNCLINE_EXPECT_OK(WaitUntilFinished()) << Logs();
  const auto weights = CheckpointWeights(job().checkpoint().directory());
  SYNCLINE_EXPECT_OK(weights.status());
  return weights.ok() ? *weights : Weights();
}

std::string ProcessCluster::Logs() const {
  std::string logs;
  for (const auto& [name, process] : processes_) {
    absl::StrAppend(&logs, name, ": ", LastLines(process->log(), 6), "\n");
  }
  return logs;
}

}  // namespace syncline
