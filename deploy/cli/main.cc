// syncline: the command line for people.

#include <signal.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/config/environment.h"
#include "common/config/flags.h"
#include "deploy/cli/commands.h"

ABSL_FLAG(std::string, strategies, "ps-sync,ps-bounded,ps-async",
          "compare: ways to train, in turn: those, allreduce, hierarchical, pipeline and tensor.");
ABSL_FLAG(std::string, file, "", "local: the job's manifest. -f FILE is the same.");
ABSL_FLAG(std::string, output, "", "local: folder for results; by default output/JOB-TIME.");
ABSL_FLAG(std::string, bin_dir, "", "local: folder of the daemons; by default where they were built.");
ABSL_FLAG(std::string, restore, "", "local: checkpoint to continue from: its folder, or latest.");
ABSL_FLAG(std::string, log_level, "info", "local: level of the daemons' logs.");
ABSL_FLAG(uint64_t, table_memory, 0,
          "local: bytes that the rows of tables may take of each shard's memory; the rest goes to OUTPUT/rows. 0: no limit.");
ABSL_FLAG(std::string, coordinator, "", "host:port of the coordinator of a running cluster.");
ABSL_FLAG(absl::Duration, interval, absl::Seconds(1), "top: time between two tables, 100ms to 1h.");
ABSL_FLAG(uint64_t, count, 0, "top: how many tables; 0: until the job is finished.");
ABSL_FLAG(bool, json, false, "status, pull: print JSON.");
ABSL_FLAG(std::string, servers, "", "pull: host:port of servers of checkpoints, of all parts, between commas.");
ABSL_FLAG(std::string, table, "", "pull: the table whose rows to print.");
ABSL_FLAG(std::string, keys, "", "pull: keys of rows, between commas: numbers, or FIELD=VALUE for a category's.");
ABSL_FLAG(std::string, tensor, "", "pull: the tensor to print, in place of rows.");
ABSL_FLAG(absl::Duration, patience, absl::Seconds(10), "pull: how long to wait for servers that are away.");
ABSL_FLAG(bool, wait, true, "apply, scale: show how it goes until it is done.");
ABSL_FLAG(std::string, shard, "", "drain: host:port of the only shard to go.");
ABSL_FLAG(std::string, checkpoint, "", "export, verify: a checkpoint's folder, or one that holds several.");
ABSL_FLAG(std::string, to, "", "export: the safetensors file to write.");
ABSL_FLAG(uint32_t, parts, 1,
          "export: files to write, FILE-00001-of-N and so on, each held in memory in turn; 0: one for each shard.");
ABSL_FLAG(std::string, tls_cert, "", "Your certificate chain, PEM, where the cluster uses TLS.");
ABSL_FLAG(std::string, tls_key, "", "The private key of --tls_cert, PEM.");
ABSL_FLAG(std::string, tls_ca, "", "The authority that signs all members' certificates, PEM.");

namespace {

constexpr char kUsage[] =
    "Syncline's command line.\n\n"
    "  syncline local -f JOB.yaml [--output=DIR] [--workers=N --sync_mode=async ...]\n"
    "      a whole cluster on this machine; every field of the manifest is a flag\n"
    "  syncline compare -f JOB.yaml [--strategies=ps-sync,...,pipeline,tensor] [--output=DIR]\n"
    "      trains it each way in turn: loss, accuracy, time, waiting and bytes side by side\n"
    "  syncline status --coordinator=HOST:PORT [--json]\n"
    "      shards, workers, clocks, staleness of a running cluster\n"
    "  syncline top --coordinator=HOST:PORT [--interval=1s] [--count=N]\n"
    "      the same as rates, again and again: who waits, what is hidden, bytes, staleness\n"
    "  syncline checkpoint --coordinator=HOST:PORT\n"
    "      takes a checkpoint now\n"
    "  syncline apply -f JOB.yaml --coordinator=HOST:PORT [--wait=false]\n"
    "      has a running job go on with as many shards and workers as its manifest says now\n"
    "  syncline scale --coordinator=HOST:PORT [--shards=N] [--workers=N] [--wait=false]\n"
    "      the same by number; 0 takes in all that come\n"
    "  syncline drain --coordinator=HOST:PORT [--shard=HOST:PORT]\n"
    "      ends the job at a step, with a last checkpoint; or lets one shard go, and the job goes on\n"
    "  syncline export --checkpoint=DIR --to=FILE [--parts=N]\n"
    "      the weights of a checkpoint as one safetensors file, or N\n"
    "  syncline pull --servers=HOST:PORT,... --table=NAME --keys=1,2,FIELD=VALUE [--json]\n"
    "  syncline pull --servers=HOST:PORT,... --tensor=NAME [--json]\n"
    "      prints weights that are served (syncline-ps --read_only)\n"
    "  syncline verify --checkpoint=DIR\n"
    "      reads all of a checkpoint, or of every one in a folder, and says whether it is whole\n\n"
    "  syncline --helpfull lists all flags.\n";

int Fail(const absl::Status& status, int code) {
  std::fprintf(stderr, "syncline: %s\n", std::string(status.message()).c_str());
  return code;
}

// -f FILE becomes --file=FILE, which Abseil's flags know.
std::vector<std::string> Spelled(int argc, char** argv) {
  std::vector<std::string> arguments;
  for (int i = 0; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "-f" && i + 1 < argc) {
      arguments.push_back(absl::StrCat("--file=", argv[++i]));
    } else if (argument == "-h") {
      arguments.push_back("--help");
    } else {
      arguments.push_back(argument);
    }
  }
  return arguments;
}

absl::StatusOr<int> Run(const std::string& command) {
  syncline::ClusterOptions cluster;
  cluster.coordinator = absl::GetFlag(FLAGS_coordinator);
  cluster.security.cert_file = absl::GetFlag(FLAGS_tls_cert);
  cluster.security.key_file = absl::GetFlag(FLAGS_tls_key);
  cluster.security.ca_file = absl::GetFlag(FLAGS_tls_ca);
  if (command == "local" || command == "compare") {
    syncline::LocalOptions local;
    local.file = absl::GetFlag(FLAGS_file);
    local.overrides = syncline::ManifestOverrides();
    local.output = absl::GetFlag(FLAGS_output);
    local.bin_dir = absl::GetFlag(FLAGS_bin_dir);
    local.restore = absl::GetFlag(FLAGS_restore);
    local.log_level = absl::GetFlag(FLAGS_log_level);
    local.table_memory = absl::GetFlag(FLAGS_table_memory);
    if (command == "compare") return syncline::RunCompare(local, absl::GetFlag(FLAGS_strategies));
    return syncline::RunLocal(local);
  }
  if (command == "status") return syncline::RunStatus(cluster, absl::GetFlag(FLAGS_json));
  if (command == "top") {
    return syncline::RunTop(cluster, absl::GetFlag(FLAGS_interval), absl::GetFlag(FLAGS_count));
  }
  if (command == "checkpoint") return syncline::RunCheckpoint(cluster);
  if (command == "drain") return syncline::RunDrain(cluster, absl::GetFlag(FLAGS_shard));
  if (command == "scale") {
    return syncline::RunScale(cluster, syncline::ManifestOverrides(), absl::GetFlag(FLAGS_wait));
  }
  if (command == "apply") {
    return syncline::RunApply(cluster, absl::GetFlag(FLAGS_file), syncline::ManifestOverrides(),
                              absl::GetFlag(FLAGS_wait));
  }
  if (command == "export") {
    return syncline::RunExport(absl::GetFlag(FLAGS_checkpoint), absl::GetFlag(FLAGS_to), absl::GetFlag(FLAGS_parts));
  }
  if (command == "pull") {
    return syncline::RunPull({absl::GetFlag(FLAGS_servers), absl::GetFlag(FLAGS_table), absl::GetFlag(FLAGS_keys),
                              absl::GetFlag(FLAGS_tensor), absl::GetFlag(FLAGS_json), absl::GetFlag(FLAGS_patience),
                              cluster.security});
  }
  if (command == "verify") return syncline::RunVerify(absl::GetFlag(FLAGS_checkpoint));
  return absl::InvalidArgumentError(
      absl::StrCat("\"", command, "\" is no command; there are local, compare, status, top, apply, scale, "
                   "checkpoint, drain, export, pull and verify"));
}

}  // namespace

int main(int argc, char** argv) {
  // Signals are waited for where there is something to stop.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  absl::SetProgramUsageMessage(kUsage);
  const absl::Status environment = syncline::SetFlagsFromEnvironment();
  if (!environment.ok()) return Fail(environment, 2);
  std::vector<std::string> arguments = Spelled(argc, argv);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  const std::vector<char*> words =
      absl::ParseCommandLine(static_cast<int>(pointers.size()), pointers.data());
  if (words.size() < 2 || std::string(words[1]) == "help") {
    std::fputs(kUsage, words.size() < 2 ? stderr : stdout);
    return words.size() < 2 ? 2 : 0;
  }
  const std::string command = words[1];
  if (words.size() > 2) {
    return Fail(absl::InvalidArgumentError(
                    absl::StrCat("\"", words[2], "\" is no flag: see syncline --helpfull")),
                2);
  }
  if (command == "local") sigprocmask(SIG_BLOCK, &signals, nullptr);
  const absl::StatusOr<int> code = Run(command);
  if (code.ok()) return *code;
  return Fail(code.status(), absl::IsInvalidArgument(code.status()) ? 2 : 1);
}
