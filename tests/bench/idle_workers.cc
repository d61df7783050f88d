// What a coordinator and a shard pay for workers that are connected and do nothing: resident memory, open
// files and threads, before and with 1,000 of them, over the network and with links on one host.
//
// Clients are spread over processes, since those of one share their connection to the coordinator; so the
// coordinator's open files are those of the processes.

#include <dirent.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/memory/shared_memory.h"
#include "tests/bench/cluster_processes.h"
#include "worker/client/await.h"
#include "worker/client/client.h"

namespace syncline {
namespace {

constexpr int kProcesses = 50;
constexpr int kClients = 20;  // of each

struct Usage {
  double memory = 0;  // KiB
  int files = 0;
  int threads = 0;
};

Usage UsageOf(pid_t process) {
  Usage usage;
  std::ifstream status(absl::StrCat("/proc/", process, "/status"));
  for (std::string line; std::getline(status, line);) {
    absl::string_view value = line;
    if (absl::ConsumePrefix(&value, "VmRSS:")) {
      absl::ConsumeSuffix(&value, " kB");
      if (!absl::SimpleAtod(value, &usage.memory)) Die("VmRSS is no number");
    } else if (absl::ConsumePrefix(&value, "Threads:")) {
      if (!absl::SimpleAtoi(value, &usage.threads)) Die("Threads is no number");
    }
  }
  DIR* const files = opendir(absl::StrCat("/proc/", process, "/fd").c_str());
  if (files == nullptr) Die("a process has gone");
  while (const dirent* file = readdir(files)) usage.files += file->d_name[0] != '.';
  closedir(files);
  return usage;
}

JobManifest Job(bool links) {
  JobManifest job = JobWithoutModel("idle");
  job.set_sync_mode(SYNC);
  job.set_workers(kProcesses * kClients);
  job.set_shared_memory(links);
  return job;
}

void Idle(const Pipe& parent) {
  const std::string coordinator = parent.ReadLine();
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<float> weights(1 << 20);
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(Join(coordinator));
    clients.back()->Lend(Must(SharedMemory::Create(weights.size() * sizeof(float))));
    Must(clients.back()->CreateTensors({VectorSpec("weight", weights.size())}));
    // Connections are made with the first call.
    float* const to = weights.data();
    Must(Await<absl::Status>([&](auto done) { clients.back()->Observe({{&to, 1}}, std::move(done)); }));
  }
  StayUp("idle", parent);
}

void Measure(bool links) {
  ClusterProcesses cluster(Job(links));
  std::vector<std::unique_ptr<ChildProcess>> workers;
  for (int i = 0; i < kProcesses; ++i) workers.push_back(std::make_unique<ChildProcess>(Idle));
  const std::string address = cluster.Start();
  const pid_t daemons[] = {cluster.coordinator().pid(), cluster.shard().pid()};
  const Usage before[] = {UsageOf(daemons[0]), UsageOf(daemons[1])};
  for (const auto& worker : workers) {
    worker->pipe().WriteLine(address);
    worker->pipe().ReadLine();
  }
  absl::SleepFor(absl::Seconds(10));  // some heartbeats
  std::printf("%d workers %s\n", kProcesses * kClients,
              links ? "with links on one host" : "over the network");
  const char* const names[] = {"coordinator", "shard"};
  for (int i = 0; i < 2; ++i) {
    const Usage with = UsageOf(daemons[i]);
    std::printf("  %-11s memory %.1f -> %.1f MiB (%.1f KiB a worker), files %d -> %d, threads %d -> %d\n",
                names[i], before[i].memory / 1024, with.memory / 1024,
                (with.memory - before[i].memory) / (kProcesses * kClients), before[i].files,
                with.files, before[i].threads, with.threads);
  }
  std::fflush(stdout);
}

}  // namespace
}  // namespace syncline

int main() {
  rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  // A process each, so that the second begins with none of the first one's files.
  for (const bool links : {false, true}) {
    const pid_t process = fork();
    if (process == 0) {
      syncline::Measure(links);
      return 0;
    }
    int status = 0;
    if (waitpid(process, &status, 0) != process || status != 0) return 1;
  }
  return 0;
}
