// Bandwidth of a sum among two processes (worker/allreduce/collective), beside a plain exchange of as many bytes, both
// over loopback and by threads of this process, in turn. Part of tests/bench/run parallelism.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/types/span.h"
#include "common/config/manifest.h"
#include "server/coordinator/coordinator_server.h"
#include "tests/bench/measure.h"
#include "worker/allreduce/collective.h"
#include "worker/team/team.h"

namespace syncline {
namespace {

constexpr size_t kFloats = size_t{8} << 20;
constexpr int kRounds = 9;

[[noreturn]] void Die(const std::string& why) {
  std::fprintf(stderr, "collective: %s\n", why.c_str());
  std::exit(1);
}

template <typename T>
T Must(absl::StatusOr<T> result) {
  if (!result.ok()) Die(std::string(result.status().message()));
  return *std::move(result);
}

std::unique_ptr<CoordinatorServer> StartCoordinator() {
  JobManifest job;
  job.set_name("collective");
  job.mutable_model()->set_input(1);
  job.mutable_model()->add_layers()->mutable_linear()->set_units(1);
  job.mutable_model()->set_loss(MEAN_SQUARED_ERROR);
  job.mutable_data()->set_format(RANDOM_LINEAR);
  job.mutable_data()->set_samples(2);
  job.set_workers(2);
  job.set_aggregation(AGGREGATION_ALLREDUCE);
  if (const absl::Status complete = CompleteManifest(&job); !complete.ok()) Die(std::string(complete.message()));
  CoordinatorServer::Options options;
  options.job = job;
  return Must(CoordinatorServer::Start(options));
}

// One of the two, with a vector in two segments.
struct Process {
  explicit Process(const std::string& coordinator) {
    Team::Options options;
    options.coordinator = coordinator;
    team = Must(Team::Start(options));
    memory = team->memory()->Allocate(kFloats * sizeof(float));
    if (memory == nullptr) Die("no shared memory");
    vector = absl::MakeSpan(static_cast<float*>(memory.get()), kFloats);
    std::fill(vector.begin(), vector.end(), 1.0f);
  }

  void Sum(uint64_t number) {
    const Team::View view = team->view();
    const TeamAttempt attempt = {view.generation, number};
    team->mailbox()->BeginAttempt(attempt);
    Collective collective(team.get(), attempt, view.places(), view.place);
    const Collective::Segments segments = {{{vector.data(), kFloats / 2}},
                                           {{vector.data() + kFloats / 2, kFloats / 2}}};
    if (!collective.ReduceScatter(segments).ok() || !collective.AllGather(segments).ok()) Die("the sum broke");
  }

  std::unique_ptr<Team> team;
  std::shared_ptr<void> memory;
  absl::Span<float> vector;
};

void Both(const std::function<void(int)>& body) {
  std::thread other([&] { body(1); });
  body(0);
  other.join();
}

std::pair<int, int> Connection() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0), from = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      connect(from, reinterpret_cast<sockaddr*>(&address), size) != 0) {
    Die("no loopback socket");
  }
  const int to = accept(listener, nullptr, nullptr);
  close(listener);
  return {from, to};
}

void SendAll(int socket, const char* data, size_t bytes) {
  for (size_t sent = 0; sent < bytes;) {
    const ssize_t n = send(socket, data + sent, bytes - sent, 0);
    if (n <= 0) Die("the socket broke");
    sent += static_cast<size_t>(n);
  }
}

void ReceiveAll(int socket, char* data, size_t bytes) {
  for (size_t got = 0; got < bytes;) {
    const ssize_t n = recv(socket, data + got, bytes - got, 0);
    if (n <= 0) Die("the socket broke");
    got += static_cast<size_t>(n);
  }
}

}  // namespace
}  // namespace syncline

int main() {
  using namespace syncline;  // NOLINT
  const auto coordinator = StartCoordinator();
  std::vector<std::unique_ptr<Process>> processes;
  for (int i = 0; i < 2; ++i) processes.push_back(std::make_unique<Process>(coordinator->address()));
  for (const auto& process : processes) {
    Must(process->team->Await([](const Team::View& view) { return view.complete; }, nullptr));
  }
  // A process sends half of the vector to be summed, and the other half as a sum.
  const size_t bytes = kFloats * sizeof(float);
  const auto [one, two] = Connection();
  std::vector<char> in[2] = {std::vector<char>(bytes), std::vector<char>(bytes)};
  std::vector<double> sums, plain;
  Both([&](int i) { processes[i]->Sum(0); });  // the two learn that they are on one host
  for (int round = 0; round < kRounds; ++round) {
    sums.push_back(Seconds([&] { Both([&](int i) { processes[i]->Sum(round + 1); }); }));
    plain.push_back(Seconds([&, one = one, two = two] {
      Both([&](int i) {
        const int socket = i == 0 ? one : two;
        std::thread receiver([&] { ReceiveAll(socket, in[i].data(), bytes); });
        SendAll(socket, reinterpret_cast<const char*>(processes[i]->vector.data()), bytes);
        receiver.join();
      });
    }));
  }
  const double gigabytes = static_cast<double>(bytes) / 1e9;
  const double value = gigabytes / Median(sums), reference = gigabytes / Median(plain);
  std::printf("{\"group\": \"parallelism\", \"name\": \"all-reduce of %zu MB among 2 / plain exchange\", \"value\": %.3f, "
              "\"unit\": \"GB/s each way\", \"reference\": %.3f, \"ratio\": %.3f, \"at_least\": 0.9}\n",
              bytes >> 20, value, reference, value / reference);
  return 0;
}
