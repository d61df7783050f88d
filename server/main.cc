// syncline-ps: a parameter-server shard, or a server of checkpoints.

#include <string.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/time/time.h"
#include "common/daemon/daemon.h"
#include "common/status/status_macros.h"
#include "server/read_only_server.h"
#include "server/shard_server.h"
#include "spdlog/spdlog.h"

ABSL_FLAG(std::string, coordinator, "", "host:port of the coordinator. Required.");
ABSL_FLAG(std::string, advertise, "",
          "host:port under which workers and the coordinator reach this shard; by default the "
          "address it listens on.");
ABSL_FLAG(int, io_threads, 0,
          "Threads that serve pushes, pulls and commits, 1 to 64; 0: half the cores, at most 8.");
ABSL_FLAG(int, apply_threads, 0,
          "Threads that share large updates and copies, 1 to 1024; 0: as many as there are cores.");
ABSL_FLAG(uint64_t, receive_bytes, uint64_t{1} << 30,
          "Memory for gradients on their way to this shard, of all workers together, from 1048576 "
          "(1 MiB) on. Each worker sends no more than its part ahead.");
ABSL_FLAG(uint64_t, table_memory, 0,
          "Memory for the rows of tables and for finding them, from 1048576 (1 MiB) on; rows that are not used go to "
          "disk. 0: no limit.");
ABSL_FLAG(std::string, table_folder, "",
          "Where rows that do not fit into --table_memory go: a folder on a local disk. What is there ends with this "
          "process.");
ABSL_FLAG(absl::Duration, drain_patience, absl::Minutes(10),
          "How long a shard that is told to stop (SIGTERM) waits for others to take its chunks.");
ABSL_FLAG(bool, read_only, false,
          "Serve the newest checkpoint of --checkpoints, without a coordinator and to whoever asks.");
ABSL_FLAG(std::string, checkpoints, "", "read_only: the folder in which checkpoints lie. Required.");
ABSL_FLAG(std::string, serve_part, "0/1",
          "read_only: which part to serve, I/N with I from 0: of N servers each holds its part of all weights.");
ABSL_FLAG(absl::Duration, poll, absl::Seconds(2),
          "read_only: how often to look for a newer checkpoint, 10ms to 1h.");

namespace {

constexpr char kUsage[] =
    "A parameter-server shard: holds its part of a model's weights and applies gradients.\n"
    "  syncline-ps --coordinator=HOST:PORT [--listen=HOST:PORT] [--flagfile=FILE]\n"
    "or a server of checkpoints, for whoever only reads:\n"
    "  syncline-ps --read_only --checkpoints=DIR [--serve_part=I/N] [--listen=HOST:PORT]";

constexpr char kAtRisk[] =
    "Chunks and slots that no other shard has yet are lost: without replicas the job goes on from its last checkpoint.";

absl::Status ServeCheckpoints(const syncline::DaemonOptions& daemon) {
  syncline::ReadOnlyServer::Options options;
  options.listen = daemon.listen;
  options.http_port = daemon.http_port;
  options.security = daemon.security;
  options.io_threads = absl::GetFlag(FLAGS_io_threads);
  options.checkpoints = absl::GetFlag(FLAGS_checkpoints);
  options.interval = absl::GetFlag(FLAGS_poll);
  SYNCLINE_ASSIGN_OR_RETURN(options.part, syncline::ParseServePart(absl::GetFlag(FLAGS_serve_part)));
  if (!absl::GetFlag(FLAGS_coordinator).empty()) {
    return absl::InvalidArgumentError("--coordinator: a --read_only server is in no cluster; give one of them");
  }
  SYNCLINE_ASSIGN_OR_RETURN(const auto server, syncline::ReadOnlyServer::Start(options));
  SYNCLINE_RETURN_IF_ERROR(
      syncline::WritePortFile(daemon.port_file, server->address(), server->http_address()));
  spdlog::info("listening on {}, serving part {}/{}", server->address(), options.part.index, options.part.count);
  spdlog::info("{}: leaving", strsignal(syncline::WaitForSignal("Nothing is lost.")));
  return absl::OkStatus();
}

absl::Status ServeShard(const syncline::DaemonOptions& daemon) {
  syncline::ShardServer::Options options;
  options.listen = daemon.listen;
  options.http_port = daemon.http_port;
  options.security = daemon.security;
  options.coordinator = absl::GetFlag(FLAGS_coordinator);
  options.advertise = absl::GetFlag(FLAGS_advertise);
  options.io_threads = absl::GetFlag(FLAGS_io_threads);
  options.apply_threads = absl::GetFlag(FLAGS_apply_threads);
  options.receive_bytes = absl::GetFlag(FLAGS_receive_bytes);
  options.table_memory = absl::GetFlag(FLAGS_table_memory);
  options.table_folder = absl::GetFlag(FLAGS_table_folder);
  if (options.coordinator.empty()) {
    return absl::InvalidArgumentError("--coordinator is missing: give its host:port");
  }
  SYNCLINE_ASSIGN_OR_RETURN(const auto server, syncline::ShardServer::Start(options));
  SYNCLINE_RETURN_IF_ERROR(
      syncline::WritePortFile(daemon.port_file, server->address(), server->http_address()));
  spdlog::info("listening on {}", server->address());
  const int signal = syncline::WaitForSignal(kAtRisk, [&] { return server->retired(); });
  if (signal == 0) {
    spdlog::info("other shards have all its chunks: leaving");
    return absl::OkStatus();
  }
  spdlog::info("{}: leaving once other shards have its chunks, or the job has ended in good order",
               strsignal(signal));
  const absl::Status drained = server->Drain(absl::GetFlag(FLAGS_drain_patience));
  if (!drained.ok()) spdlog::warn("not drained: {}", std::string(drained.message()));
  return absl::OkStatus();
}

absl::Status Run(const syncline::DaemonOptions& daemon) {
  return absl::GetFlag(FLAGS_read_only) ? ServeCheckpoints(daemon) : ServeShard(daemon);
}

}  // namespace

int main(int argc, char** argv) {
  return syncline::ExitCode(Run(syncline::InitDaemon(argc, argv, "syncline-ps", kUsage)));
}
