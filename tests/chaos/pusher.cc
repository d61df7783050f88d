// A worker for tests/chaos/run: each of its pushes adds 1 to every weight, also of some rows, and it writes down what it asked for and
// what it was answered, a line each, before it goes on:
//
//   TIME join RANK INCARNATION        it is a member
//   TIME asked CLOCK                  a pull is about to be sent
//   TIME pulled CLOCK LOWEST HIGHEST  its answer, over all weights
//   TIME push CLOCK                   a push is about to be sent
//   TIME pushed CLOCK                 it was acknowledged
//   TIME commit CLOCK                 a commit is about to be sent
//   TIME lost STATUS                  the membership is over; it joins again
//   TIME observed LOWEST HIGHEST      the weights after its last push
//   TIME left                         in good order
//
// TIME: nanoseconds of the machine's monotonic clock, the same for all processes. It ends on SIGTERM.

#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/status/status_macros.h"
#include "worker/client/client.h"
#include "worker/train/step_source.h"

ABSL_FLAG(std::string, coordinator, "", "host:port.");
ABSL_FLAG(std::string, name, "", "The worker's.");
ABSL_FLAG(std::string, history, "", "File that the lines are appended to.");
ABSL_FLAG(absl::Duration, pause, absl::Milliseconds(2), "Before each step.");

namespace syncline {
namespace {

std::atomic<bool> stopping{false};

class History {
 public:
  explicit History(const std::string& path)
      : file_(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {}

  template <typename... Parts>
  void Say(const Parts&... parts) {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const std::string line =
        absl::StrCat(int64_t{now.tv_sec} * 1000000000 + now.tv_nsec, " ", parts..., "\n");
    if (write(file_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) abort();
  }

 private:
  const int file_;
};

// Of sizes that leave chunks of different lengths.
const std::vector<size_t> kSizes = {11, 3000, 70001};

// Room for every tensor.
struct Memory {
  explicit Memory(float value) {
    for (const size_t size : kSizes) tensors.emplace_back(size, value);
    for (auto& tensor : tensors) places.push_back(tensor.data());
  }
  // Over tensors and rows.
  std::string Range(const std::vector<float>& rows) const {
    float lowest = rows[0], highest = lowest;
    for (const auto& tensor : tensors) {
      const auto [low, high] = std::minmax_element(tensor.begin(), tensor.end());
      lowest = std::min(lowest, *low);
      highest = std::max(highest, *high);
    }
    const auto [low, high] = std::minmax_element(rows.begin(), rows.end());
    lowest = std::min(lowest, *low);
    highest = std::max(highest, *high);
    return absl::StrFormat("%.0f %.0f", lowest, highest);
  }

  std::vector<std::vector<float>> tensors;
  std::vector<float*> places;
};

// Of the job's table, as many as are in every one of its slots.
constexpr size_t kRows = 200, kDim = 3;

std::vector<uint64_t> Keys() {
  std::vector<uint64_t> keys;
  for (uint64_t i = 1; i <= kRows; ++i) keys.push_back(i);
  return keys;
}

std::vector<TensorSpec> Tensors() {
  std::vector<TensorSpec> tensors;
  for (const size_t size : kSizes) {
    TensorSpec& tensor = tensors.emplace_back();
    tensor.set_name(absl::StrCat("t", size));
    tensor.add_shape(size);
  }
  return tensors;
}

// Waits for a call's end.
template <typename Result>
Result Await(const std::function<void(std::function<void(Result)>)>& call) {
  auto result = std::make_shared<std::pair<Result, absl::Notification>>();
  call([result](Result r) {
    result->first = std::move(r);
    result->second.Notify();
  });
  result->second.WaitForNotification();
  return std::move(result->first);
}

absl::Status Push(Client* client, const StepLease& step, const std::vector<Client::Gradient>& ones,
                  History* history) {
  static const std::vector<uint64_t> keys = Keys();
  static const std::vector<float> rows(kRows * kDim, -1);
  history->Say("push ", step.clock());
  SYNCLINE_RETURN_IF_ERROR(
      Await<absl::Status>([&](auto done) { client->Push(step.clock(), ones, done); }));
  SYNCLINE_RETURN_IF_ERROR(
      Await<absl::Status>([&](auto done) { client->PushRows(step.clock(), {{0, keys, rows.data()}}, done); }));
  history->Say("pushed ", step.clock());
  return absl::OkStatus();
}

absl::Status Train(Client* client, History* history) {
  const auto stop = [client] { return stopping || client->expelled() || client->stopping(); };
  StepSource source(client, client->job().data().samples(), stop);
  Memory weights(0), gradient(-1);
  const std::vector<uint64_t> keys = Keys();
  std::vector<float> rows(kRows * kDim);
  std::vector<Client::Gradient> ones;
  for (size_t t = 0; t < gradient.places.size(); ++t) ones.push_back({t, gradient.places[t]});
  while (!stop()) {
    SYNCLINE_ASSIGN_OR_RETURN(const auto step, source.Next());
    if (!step) break;
    absl::SleepFor(absl::GetFlag(FLAGS_pause));
    const Clock clock = step->clock();
    history->Say("asked ", clock);
    const auto pulled = Await<absl::StatusOr<Client::PullOutcome>>(
        [&](auto done) { client->Pull(clock, {weights.places}, done); });
    SYNCLINE_RETURN_IF_ERROR(pulled.status());
    if (pulled->verdict == PullReply::STOPPED) {
      SYNCLINE_ASSIGN_OR_RETURN(const bool over, source.StoppedAt(clock));
      if (over) break;
      continue;
    }
    if (pulled->verdict == PullReply::STEP_CLOSED) {
      source.SkipTo(pulled->clock);
      continue;
    }
    const auto pulled_rows = Await<absl::StatusOr<Client::PullOutcome>>(
        [&](auto done) { client->PullRows(clock, {{0, keys, rows.data()}}, done); });
    SYNCLINE_RETURN_IF_ERROR(pulled_rows.status());
    if (pulled_rows->verdict != PullReply::GRANTED) return absl::AbortedError("weights were granted, and rows not");
    history->Say("pulled ", clock, " ", weights.Range(rows));
    if (step->count() > 0) SYNCLINE_RETURN_IF_ERROR(Push(client, *step, ones, history));
    history->Say("commit ", clock);
    SYNCLINE_RETURN_IF_ERROR(Await<absl::StatusOr<bool>>([&](auto done) {
                               client->Commit(clock, step->count(),
                                              {step->contributors().begin(), step->contributors().end()},
                                              done);
                             }).status());
  }
  if (client->expelled()) return absl::FailedPreconditionError("expelled");
  SYNCLINE_RETURN_IF_ERROR(
      Await<absl::Status>([&](auto done) { client->Observe({weights.places}, done); }));
  SYNCLINE_RETURN_IF_ERROR(
      Await<absl::Status>([&](auto done) { client->ObserveRows({{0, keys, rows.data()}}, done); }));
  history->Say("observed ", weights.Range(rows));
  return client->Leave(source.clock(), WorkerProgress());
}

absl::Status Session(History* history, ClientOptions* options) {
  SYNCLINE_ASSIGN_OR_RETURN(const auto client, Client::Connect(*options));
  options->replaces_rank = client->rank();
  options->replaces_incarnation = client->incarnation();
  history->Say("join ", client->rank(), " ", client->incarnation());
  SYNCLINE_RETURN_IF_ERROR(client->CreateTensors(Tensors()));
  return Train(client.get(), history);
}

void Work() {
  History history(absl::GetFlag(FLAGS_history));
  ClientOptions options;
  options.coordinator = absl::GetFlag(FLAGS_coordinator);
  options.name = absl::GetFlag(FLAGS_name);
  while (!stopping) {
    const absl::Status status = Session(&history, &options);
    if (status.ok()) return history.Say("left");
    history.Say("lost ", status.ToString());
    absl::SleepFor(absl::Milliseconds(50));
  }
}

}  // namespace
}  // namespace syncline

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  signal(SIGTERM, [](int) { syncline::stopping = true; });
  syncline::Work();
  return 0;
}
