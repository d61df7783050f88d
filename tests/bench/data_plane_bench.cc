// How fast gradients get in and weights get out, each beside a bound taken in the same run between the
// same processes: a plain TCP socket, memory itself, an empty call. One shard runs plain SGD in async
// mode; it, the coordinator and each worker are processes of their own.
//
//   data_plane_bench [tcp | shared | small | workers | codecs]

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/codec/codec.h"
#include "common/memory/shared_memory.h"
#include "common/optimizer/sgd.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/rpc/raw_call.h"
#include "common/rpc/server_runtime.h"
#include "common/tensor/vectorise.h"
#include "proto/parameter_server.grpc.pb.h"
#include "server/store/dense_chunk.h"
#include "tests/bench/cluster_processes.h"
#include "tests/bench/measure.h"
#include "worker/client/await.h"
#include "worker/client/client.h"

namespace syncline {
namespace {

constexpr size_t kElements = size_t{64} << 20;
constexpr size_t kBytes = kElements * sizeof(float);
constexpr int kRounds = 5;
constexpr int kWorkers = 16;
// For the latency of a pull of 4 KiB.
constexpr size_t kSmallElements = 1024;
constexpr int kCalls = 4000;

// All of `bytes`, in pieces of 1 MiB; `call` is read or write.
template <typename Call, typename Data>
void Whole(const Call& call, int s, Data* data, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    const ssize_t n = call(s, data + done, std::min<size_t>(bytes - done, 1 << 20));
    if (n <= 0) Die("the socket broke");
    done += static_cast<size_t>(n);
  }
}

int Loopback(sockaddr_in* address) {
  const int s = socket(AF_INET, SOCK_STREAM, 0);
  *address = {};
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return s;
}

// The bounds' other side: takes or sends kBytes over a plain socket.
void ServeSocket(const Pipe& parent) {
  sockaddr_in here;
  socklen_t size = sizeof(here);
  const int listener = Loopback(&here);
  if (bind(listener, reinterpret_cast<sockaddr*>(&here), size) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&here), &size) != 0) {
    Die("no loopback socket");
  }
  parent.WriteLine(absl::StrCat(ntohs(here.sin_port)));
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
}

// Answers empty calls as a shard answers pulls, on a thread that serves a completion queue.
class EmptyService final : public ParameterServer::WithRawMethod_Commit<ParameterServer::Service> {
 public:
  void ListenOn(grpc::ServerCompletionQueue* queue) {
    const auto method = std::make_shared<RawCall::Method>();
    method->request = [this](auto* context, auto* request, auto* writer, auto* q, void* tag) {
      RequestCommit(context, request, writer, q, q, tag);
    };
    method->serve = [](RawCall* call) {
      const grpc::Slice nothing("");
      call->Reply(grpc::ByteBuffer(&nothing, 1));
    };
    RawCall::Listen(method, queue, 16);
  }
};

void ServeShard(const Pipe& parent) {
  const auto shard = StartShard({}, parent);
  EmptyService empty;
  ServerRuntime::Options runtime;
  runtime.listen_on = [&empty](auto* queue) { empty.ListenOn(queue); };
  const auto server = Must(ServerRuntime::Start(runtime, {&empty}));
  StayUp(server->address(), parent);
}

// A client with room for the tensors, lent or not. Tensor 0 is large, tensor 1 is small.
struct Worker {
  Worker(const std::string& coordinator, bool shared) {
    client = Join(coordinator);
    memory = Must(SharedMemory::Create(2 * kBytes + kSmallElements * sizeof(float)));
    if (shared) client->Lend(memory);
    Must(client->CreateTensors({VectorSpec("large", kElements), VectorSpec("small", kSmallElements)}));
    if (shared && client->shards_on_this_host() != 1) Die("the shard does not take the memory");
    weights = reinterpret_cast<float*>(memory->data());
    gradient = weights + kElements;
    std::fill_n(weights, kElements, 1.0f);
    std::fill_n(gradient, kElements + kSmallElements, 1e-3f);
  }

  double PushAll() {
    return Seconds([&] {
      Must(Await<absl::Status>([&](auto done) { client->Push(clock++, {{0, gradient}}, std::move(done)); }));
    });
  }
  double PullAll() {
    float* const to[] = {weights, gradient + kElements};
    return Seconds([&] {
      Must(Await<absl::Status>([&](auto done) { client->Observe({to}, std::move(done)); }));
    });
  }

  std::unique_ptr<Client> client;
  std::shared_ptr<SharedMemory> memory;
  float* weights;
  float* gradient;
  Clock clock = 0;
};

// One of many workers, which pushes when told.
void WorkAlong(const Pipe& parent) {
  Worker worker(parent.ReadLine(), /*shared=*/false);
  parent.WriteLine("ready");
  while (true) {
    parent.ReadLine();
    worker.PushAll();
    parent.WriteLine("done");
  }
}

// `bound` says on which side of the limit the ratio should be: at_least or at_most. A limit of 0 is
// none.
void Report(const char* name, double value, const char* unit, double reference, const char* bound,
            double limit) {
  std::printf("{\"group\": \"data_plane\", \"name\": \"%s\", \"value\": %.3f, \"unit\": \"%s\", "
              "\"reference\": %.3f, \"ratio\": %.3f, \"%s\": %s}\n",
              name, value, unit, reference, value / reference, bound,
              limit > 0 ? absl::StrCat(limit).c_str() : "null");
  std::fflush(stdout);
}

void ReportSpeed(const char* name, double bytes, const std::vector<double>& ours,
                 double reference_bytes, const std::vector<double>& reference, double at_least) {
  Report(name, bytes / Median(ours) / 1e9, "GB/s", reference_bytes / Median(reference) / 1e9,
         "at_least", at_least);
}

// Processor time of this process and another, in seconds.
class ProcessorTime {
 public:
  explicit ProcessorTime(pid_t other) {
    if (clock_getcpuclockid(other, &other_) != 0) Die("no clock of another process");
  }
  double Now() const { return Read(CLOCK_PROCESS_CPUTIME_ID) + Read(other_); }

 private:
  static double Read(clockid_t clock) {
    timespec time;
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }
  clockid_t other_;
};

// Both sides' processor time: what bounds the speed where all cores are busy.
void ReportCost(const char* name, const std::vector<double>& ours,
                const std::vector<double>& reference) {
  Report(name, 1e9 * Median(ours) / kBytes, "s/GB", 1e9 * Median(reference) / kBytes, "at_most", 0);
}

// `socket` and `shard` are the processes at the other ends.
void OverTcp(const std::string& coordinator, int port, pid_t socket, pid_t shard) {
  sockaddr_in there;
  const int s = Loopback(&there);
  there.sin_port = htons(static_cast<uint16_t>(port));
  const int on = 1;
  setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (connect(s, reinterpret_cast<sockaddr*>(&there), sizeof(there)) != 0) Die("cannot connect");
  Worker worker(coordinator, /*shared=*/false);
  struct Measured {
    std::vector<double> seconds, costs;
  } pushes, pulls, writes, reads;
  const auto measure = [](pid_t other, Measured* to, const std::function<void()>& body) {
    const ProcessorTime cost(other);
    const double begin = cost.Now();
    to->seconds.push_back(Seconds(body));
    to->costs.push_back(cost.Now() - begin);
  };
  for (int round = 0; round < kRounds; ++round) {
    measure(socket, &writes, [&] {
      char command = 'w';
      if (write(s, &command, 1) != 1) Die("the socket broke");
      Whole(write, s, reinterpret_cast<const char*>(worker.gradient), kBytes);
      if (read(s, &command, 1) != 1) Die("the socket broke");
    });
    measure(shard, &pushes, [&] { worker.PushAll(); });
    measure(socket, &reads, [&] {
      const char command = 'r';
      if (write(s, &command, 1) != 1) Die("the socket broke");
      Whole(read, s, reinterpret_cast<char*>(worker.weights), kBytes);
    });
    measure(shard, &pulls, [&] { worker.PullAll(); });
  }
  close(s);
  ReportSpeed("push and update over TCP / plain socket", kBytes, pushes.seconds, kBytes,
              writes.seconds, 1.0);
  ReportSpeed("pull over TCP / plain socket", kBytes, pulls.seconds, kBytes, reads.seconds, 1.0);
  ReportCost("processor time of push and update over TCP / plain socket", pushes.costs, writes.costs);
  ReportCost("processor time of pull over TCP / plain socket", pulls.costs, reads.costs);
}

void ThroughSharedMemory(const std::string& coordinator) {
  Worker worker(coordinator, /*shared=*/true);
  std::vector<float> weights(kElements, 1.0f), gradient(kElements, 1e-3f);
  std::vector<double> pushes, pulls, updates, copies;
  for (int round = 0; round < kRounds; ++round) {
    updates.push_back(Seconds([&] {
      float* const w = weights.data();
      const float* const g = gradient.data();
      Vectorise([=]() SYNCLINE_INLINE {
        for (size_t i = 0; i < kElements; ++i) w[i] -= 0.01f * g[i];
      });
    }));
    pushes.push_back(worker.PushAll());
    copies.push_back(Seconds([&] { std::memcpy(weights.data(), gradient.data(), kBytes); }));
    pulls.push_back(worker.PullAll());
  }
  ReportSpeed("push and update through shared memory / w -= lr*g", kBytes, pushes, kBytes, updates,
              0.8);
  ReportSpeed("pull through shared memory / memcpy", kBytes, pulls, kBytes, copies, 0.8);
}

double Percentile(std::vector<double> values, double share) {
  const auto at = values.begin() + static_cast<ptrdiff_t>(share * (values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

// The pull asks for a tensor of 4 KiB of a cluster that has no other; the empty call goes to the
// shard's process.
void SmallPulls(const std::string& coordinator, const std::string& empty) {
  const auto client = Join(coordinator);
  Must(client->CreateTensors({VectorSpec("small", kSmallElements)}));
  const auto channel = Must(MakeChannel(empty, {}));
  const auto stub = ParameterServer::NewStub(channel);
  std::vector<float> weights(kSmallElements);
  float* const to[] = {weights.data()};
  std::vector<double> pulls, calls;
  for (int i = 0; i < kCalls; ++i) {
    calls.push_back(Seconds([&] {
      Must(Call<CommitReply>(*stub, &ParameterServer::Stub::Commit, CommitRequest(),
                             absl::Seconds(10)));
    }));
    pulls.push_back(Seconds([&] {
      Must(Await<absl::Status>([&](auto done) { client->Observe({to}, std::move(done)); }));
    }));
  }
  const auto report = [&](const char* name, double share, double limit) {
    Report(name, 1e6 * Percentile(pulls, share), "us", 1e6 * Percentile(calls, share), "at_most",
           limit);
  };
  report("4 KiB pull, p50 / empty call", 0.5, 1.2);
  report("4 KiB pull, p99 / empty call", 0.99, 1.5);
}

void ManyWorkers(const std::string& coordinator,
                 const std::vector<std::unique_ptr<ChildProcess>>& workers) {
  for (const auto& worker : workers) {
    worker->pipe().WriteLine(coordinator);
    worker->pipe().ReadLine();
  }
  const auto push = [&](size_t count) {
    return Seconds([&] {
      for (size_t i = 0; i < count; ++i) workers[i]->pipe().WriteLine("push");
      for (size_t i = 0; i < count; ++i) workers[i]->pipe().ReadLine();
    });
  };
  std::vector<double> one, all;
  for (int round = 0; round < kRounds; ++round) {
    one.push_back(push(1));
    all.push_back(push(workers.size()));
  }
  ReportSpeed("push of 16 workers over TCP, together / 1 worker", kWorkers * kBytes, all, kBytes,
              one, 0.9);
}

// A thread that encodes, and one that decodes and applies as a shard does, chunk by chunk; arrays larger
// than the cache. Bytes are those of the weights touched, read and written.
void Codecs() {
  const size_t chunk_elements = size_t{256} << 10, chunks = kElements / chunk_elements;
  const Sgd rule(0);
  std::vector<DenseChunk> table;
  for (size_t i = 0; i < chunks; ++i) table.emplace_back(&rule, chunk_elements);
  std::vector<float> gradient(kElements), a(kElements, 1), b(kElements, 1);
  for (size_t i = 0; i < kElements; ++i) gradient[i] = 1e-3f * static_cast<float>(i % 1000);
  UpdateSettings settings;
  settings.learning_rate = 0.01;
  for (const Codec codec : {FP16, BF16, INT8, TOPK, ONEBIT}) {
    const size_t bytes = EncodedBytes(codec, chunk_elements);
    std::vector<char> encoded(chunks * bytes);
    std::vector<double> encodes, applies, triads;
    for (int round = 0; round < kRounds; ++round) {
      encodes.push_back(Seconds([&] {
        for (size_t i = 0; i < chunks; ++i) {
          EncodeFloats(codec, &gradient[i * chunk_elements], chunk_elements, i, &encoded[i * bytes]);
        }
      }));
      triads.push_back(Seconds([&] {
        float* const to = a.data();
        const float *const x = b.data(), *const y = gradient.data();
        Vectorise([=]() SYNCLINE_INLINE {
          for (size_t i = 0; i < kElements; ++i) to[i] = x[i] + 0.5f * y[i];
        });
      }));
      applies.push_back(Seconds([&] {
        for (size_t i = 0; i < chunks; ++i) {
          const Fragments data = Fragments::Of(&encoded[i * bytes], bytes);
          const Contribution contribution{&data, 1, codec};
          table[i].Update({&contribution, 1}, settings);
        }
      }));
    }
    const std::string name = absl::AsciiStrToLower(Codec_Name(codec));
    ReportSpeed(absl::StrCat("decode and apply ", name, " / triad").c_str(), 2 * kBytes, applies,
                3 * kBytes, triads, 0.7);
    ReportSpeed(absl::StrCat("encode ", name, " / triad").c_str(), kBytes, encodes, 3 * kBytes,
                triads, 0);
  }
}

// `part`: tcp, shared, small, workers, codecs, or empty for all.
int Main(const std::string& part) {
  const auto wanted = [&part](const char* name) { return part.empty() || part == name; };
  const ChildProcess socket(ServeSocket);
  // Of its own each, so that one measurement leaves nothing to the next.
  const JobManifest job = JobWithoutModel("data-plane");
  ClusterProcesses large(job, ServeShard), small(job, ServeShard), many(job, ServeShard);
  std::vector<std::unique_ptr<ChildProcess>> workers;
  for (int i = 0; i < kWorkers; ++i) workers.push_back(std::make_unique<ChildProcess>(WorkAlong));

  const std::string& address = large.Start();
  if (wanted("tcp")) {
    OverTcp(address, std::stoi(socket.pipe().ReadLine()), socket.pid(), large.shard().pid());
  }
  if (wanted("shared")) ThroughSharedMemory(address);
  if (wanted("small")) SmallPulls(small.Start(), small.shard_address());
  if (wanted("codecs")) Codecs();
  if (wanted("workers")) ManyWorkers(many.Start(), workers);
  return 0;
}

}  // namespace
}  // namespace syncline

int main(int argc, char** argv) {
  // As the daemons do (common/daemon).
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return syncline::Main(argc > 1 ? argv[1] : "");
}
