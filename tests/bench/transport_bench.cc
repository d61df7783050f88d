// Push with update, and pull, of 256 MiB in chunks of 1 MiB between two processes, beside a plain
// socket that carries the same bytes between the same processes in the same run, both over TCP's
// loopback. The shard runs plain SGD in async mode.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/config/manifest.h"
#include "server/coordinator/coordinator_server.h"
#include "server/shard_server.h"
#include "tests/bench/measure.h"
#include "worker/client/client.h"

namespace syncline {
namespace {

constexpr size_t kElements = size_t{64} << 20;
constexpr size_t kBytes = kElements * sizeof(float);
constexpr int kRounds = 7;

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "transport_bench: %s\n", what.c_str());
  std::exit(1);
}

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) Die(std::string(value.status().message()));
  return *std::move(value);
}

// All of `bytes`, in pieces of 1 MiB; `call` is read or write.
template <typename Call, typename Data>
void Whole(const Call& call, int s, Data* data, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    const ssize_t n = call(s, data + done, std::min<size_t>(bytes - done, 1 << 20));
    if (n <= 0) Die("the socket broke");
    done += static_cast<size_t>(n);
  }
}

JobManifest Job() {
  JobManifest job;
  job.set_name("transport");
  job.mutable_model()->set_input(1);
  job.mutable_model()->add_layers()->mutable_linear()->set_units(1);
  job.mutable_model()->set_loss(MEAN_SQUARED_ERROR);
  job.mutable_data()->set_format(RANDOM_LINEAR);
  job.mutable_data()->set_samples(1);
  job.set_sync_mode(ASYNC);
  const absl::Status complete = CompleteManifest(&job);
  if (!complete.ok()) Die(std::string(complete.message()));
  return job;
}

// The address a child writes to its pipe.
std::string ReadLine(int from) {
  std::string line;
  for (char c; read(from, &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

void WriteLine(int to, const std::string& text) {
  const std::string line = text + "\n";
  if (write(to, line.data(), line.size()) < 0) Die("the pipe broke");
}

// A process of its own, as in a cluster: its threads would poll the shard's sockets too.
[[noreturn]] void Coordinate(int out) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  CoordinatorServer::Options options;
  options.job = Job();
  const auto coordinator = Must(CoordinatorServer::Start(options));
  WriteLine(out, coordinator->address());
  while (true) pause();
}

// The other process: a shard and the plain socket.
[[noreturn]] void Serve(int listener, const std::string& coordinator) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  ShardServer::Options shard;
  shard.coordinator = coordinator;
  const auto serving = Must(ShardServer::Start(shard));
  const int s = accept(listener, nullptr, nullptr);
  std::vector<char> data(kBytes, 1);
  for (char command; read(s, &command, 1) == 1;) {
    if (command == 'w') {
      Whole(read, s, data.data(), kBytes);
      if (write(s, &command, 1) != 1) Die("the socket broke");
    } else {
      Whole(write, s, data.data(), kBytes);
    }
  }
  std::_Exit(0);
}

void Report(const char* name, const std::vector<double>& ours, const std::vector<double>& plain) {
  const double value = kBytes / Median(ours) / 1e9, reference = kBytes / Median(plain) / 1e9;
  std::printf("{\"group\": \"transport\", \"name\": \"%s\", \"value\": %.3f, \"unit\": \"GB/s\", "
              "\"reference\": %.3f, \"ratio\": %.3f, \"at_least\": 0.70}\n",
              name, value, reference, value / reference);
}

void Await(const std::function<void(Client::Done)>& begin) {
  absl::Notification done;
  absl::Status result;
  begin([&](absl::Status status) {
    result = std::move(status);
    done.Notify();
  });
  done.WaitForNotification();
  if (!result.ok()) Die(std::string(result.message()));
}

int Main() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(here);
  int ports[2];
  if (bind(listener, reinterpret_cast<sockaddr*>(&here), size) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&here), &size) != 0 || pipe(ports) != 0) {
    Die("no loopback socket");
  }
  // Both before gRPC has started anything here.
  const pid_t coordinator = fork();
  if (coordinator == 0) Coordinate(ports[1]);
  const std::string address = ReadLine(ports[0]);
  const pid_t child = fork();
  if (child == 0) Serve(listener, address);

  const int s = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (connect(s, reinterpret_cast<sockaddr*>(&here), size) != 0) Die("cannot connect");
  ClientOptions options;
  options.coordinator = address;
  const auto client = Must(Client::Connect(options));
  TensorSpec tensor;
  tensor.set_name("weights");
  tensor.add_shape(kElements);
  const absl::Status created = client->CreateTensors({tensor});
  if (!created.ok()) Die(std::string(created.message()));

  std::vector<float> weights(kElements), gradient(kElements, 1e-3f);
  float* const to[] = {weights.data()};
  char* const bytes = reinterpret_cast<char*>(weights.data());
  std::vector<double> pushes, pulls, writes, reads;
  for (int round = 0; round < kRounds; ++round) {
    writes.push_back(Seconds([&] {
      char command = 'w';
      if (write(s, &command, 1) != 1) Die("the socket broke");
      Whole(write, s, reinterpret_cast<const char*>(gradient.data()), kBytes);
      if (read(s, &command, 1) != 1) Die("the socket broke");
    }));
    pushes.push_back(Seconds([&] {
      Await([&](Client::Done done) { 
        client->Push(round, {{0, gradient.data()}}, std::move(done));
      });
    }));
    reads.push_back(Seconds([&] {
      const char command = 'r';
      if (write(s, &command, 1) != 1) Die("the socket broke");
      Whole(read, s, bytes, kBytes);
    }));
    pulls.push_back(Seconds([&] {
      Await([&](Client::Done done) { client->Observe(to, std::move(done)); });
    }));
  }
  Report("push and update 256 MiB", pushes, writes);
  Report("pull 256 MiB", pulls, reads);
  for (const pid_t process : {child, coordinator}) {
    kill(process, SIGKILL);
    waitpid(process, nullptr, 0);
  }
  std::fflush(stdout);
  return 0;
}

}  // namespace
}  // namespace syncline

int main() {
  // As the daemons do (common/daemon).
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return syncline::Main();
}
