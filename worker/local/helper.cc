#include "worker/local/helper.h"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "common/memory/shared_memory.h"
#include "common/status/status_macros.h"
#include "spdlog/spdlog.h"
#include "worker/data/dataset_factory.h"
#include "worker/data/permutation.h"
#include "worker/local/host_group.h"
#include "worker/model/model_builder.h"
#include "worker/model/network.h"
#include "worker/train/batch_loader.h"

namespace syncline {
namespace {

// How often `stop` is asked while nothing comes.
constexpr absl::Duration kPoll = absl::Milliseconds(100);

class Helper {
 public:
  explicit Helper(const HelperOptions& options) : options_(options) {}
  absl::Status Run(HelperResult* result);

 private:
  bool stopping() const { return options_.stop && options_.stop(); }
  // The next message; UNAVAILABLE when the leader is gone, CANCELLED on `stop` if that counts.
  absl::StatusOr<HostMessage> Next(bool may_stop, int* descriptor = nullptr);
  absl::Status Prepare(int weights);
  absl::Status Compute(const HostMessage& step);
  absl::Status AwaitValues(uint64_t clock, size_t first, size_t count);
  absl::Status Tell(HostMessage::Kind kind, uint64_t clock, size_t parameter, const BatchResult& result);

  const HelperOptions& options_;
  std::unique_ptr<Device> device_;
  std::shared_ptr<SharedMemory> values_, gradients_;
  std::unique_ptr<Network> network_;
  TrainingData data_;
  std::optional<EpochOrder> order_;
  std::unique_ptr<BatchLoader> loader_;
  std::vector<bool> ready_;  // weights of the step
  bool over_ = false;
};

absl::StatusOr<HostMessage> Helper::Next(bool may_stop, int* descriptor) {
  while (true) {
    if (may_stop && stopping()) return absl::CancelledError("stopped");
    auto message = Receive(*options_.leader, descriptor);
    if (!absl::IsDeadlineExceeded(message.status())) return message;
  }
}

absl::Status Helper::Tell(HostMessage::Kind kind, uint64_t clock, size_t parameter, const BatchResult& result) {
  HostMessage message;
  message.kind = kind;
  message.clock = clock;
  message.parameter = static_cast<uint32_t>(parameter);
  message.result = result;
  return Send(*options_.leader, message);
}

// Maps the weights and makes everything that computes.
absl::Status Helper::Prepare(int weights) {
  SYNCLINE_ASSIGN_OR_RETURN(values_, SharedMemory::Adopt(weights));
  SYNCLINE_ASSIGN_OR_RETURN(gradients_, SharedMemory::Create(values_->size()));
  std::string note;
  SYNCLINE_ASSIGN_OR_RETURN(device_, OpenDevice(options_.device, &note));
  if (!note.empty()) spdlog::info("{}", note);
  SYNCLINE_ASSIGN_OR_RETURN(data_, LoadTrainingData(options_.job));
  std::vector<std::shared_ptr<SharedMemory>> blocks = {gradients_, values_};
  const auto memory = [&](size_t bytes) -> std::shared_ptr<void> {
    const std::shared_ptr<SharedMemory> block = std::move(blocks.back());
    blocks.pop_back();
    if (block->size() != bytes) return nullptr;
    return std::shared_ptr<void>(block, block->data());
  };
  const int rows = static_cast<int>(options_.job.batch_size());
  SYNCLINE_ASSIGN_OR_RETURN(network_, Network::Create(options_.job.model(), device_.get(), rows,
                                                      options_.job.seed(), memory));
  if (reinterpret_cast<char*>(network_->value(0)) != values_->data()) {
    return absl::InternalError("the leader's weights are of another size than the job's model");
  }
  SYNCLINE_ASSIGN_OR_RETURN(loader_, BatchLoader::Create(device_.get(), data_.train,
                                                         LossOf(options_.job.model()), rows));
  order_.emplace(static_cast<uint32_t>(data_.train->size()), options_.job.seed(),
                 options_.job.data().shuffle_buffer());
  HostMessage lend;
  lend.kind = HostMessage::kGradients;
  return Send(*options_.leader, lend, gradients_->fd());
}

absl::Status Helper::AwaitValues(uint64_t clock, size_t first, size_t count) {
  const auto begin = ready_.begin() + static_cast<ptrdiff_t>(first);
  while (!std::all_of(begin, begin + static_cast<ptrdiff_t>(count), [](bool r) { return r; })) {
    SYNCLINE_ASSIGN_OR_RETURN(const HostMessage message, Next(/*may_stop=*/false));
    if (message.kind == HostMessage::kEnd) over_ = true;
    if (over_ || (message.kind == HostMessage::kAbort && message.clock == clock)) {
      return absl::AbortedError("the step is not made");
    }
    if (message.kind == HostMessage::kReady && message.clock == clock &&
        message.parameter < ready_.size()) {
      ready_[message.parameter] = true;
    }
  }
  return absl::OkStatus();
}

absl::Status Helper::Compute(const HostMessage& step) {
  if (options_.step_delay > absl::ZeroDuration()) absl::SleepFor(options_.step_delay);
  ready_.assign(network_->parameters().size(), false);
  SYNCLINE_ASSIGN_OR_RETURN(Batch batch,
                            loader_->Load(order_->Samples(step.epoch, step.begin, step.count)));
  batch.step = step.clock;
  batch.first_row = step.begin;
  SYNCLINE_RETURN_IF_ERROR(network_->Forward(batch, [&](size_t first, size_t count) {
    return AwaitValues(step.clock, first, count);
  }));
  SYNCLINE_RETURN_IF_ERROR(network_->Backward(
      [&](size_t parameter) { return Tell(HostMessage::kMade, step.clock, parameter, {}); }));
  SYNCLINE_ASSIGN_OR_RETURN(const BatchResult result, network_->Result());
  return Tell(HostMessage::kDone, step.clock, 0, result);
}

absl::Status Helper::Run(HelperResult* result) {
  options_.leader->SetPatience(kPoll);
  int descriptor = -1;
  SYNCLINE_ASSIGN_OR_RETURN(const HostMessage welcome, Next(/*may_stop=*/true, &descriptor));
  if (welcome.kind == HostMessage::kEnd) over_ = true;
  if (!over_) {
    if (welcome.kind != HostMessage::kWelcome || descriptor < 0) {
      if (descriptor >= 0) close(descriptor);
      return absl::InternalError("the leader did not begin with its weights");
    }
    result->rank = static_cast<Rank>(welcome.rank);
    result->incarnation = welcome.incarnation;
    SYNCLINE_RETURN_IF_ERROR(Prepare(descriptor));
    spdlog::info("helping rank {} of this host, computing on {}", welcome.rank,
                 device_->Describe());
  }
  while (!over_) {
    SYNCLINE_ASSIGN_OR_RETURN(const HostMessage message, Next(/*may_stop=*/true));
    if (message.kind == HostMessage::kEnd) over_ = true;
    if (message.kind != HostMessage::kStep) continue;
    const absl::Status computed = Compute(message);
    if (!computed.ok() && !absl::IsAborted(computed)) return computed;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<HelperResult> RunHelper(const HelperOptions& options) {
  HelperResult result;
  const absl::Status status = Helper(options).Run(&result);
  if (status.ok()) {
    result.end = HelperResult::kOver;
  } else if (absl::IsCancelled(status)) {
    result.end = HelperResult::kStopped;
  } else if (absl::IsUnavailable(status)) {
    result.end = HelperResult::kLeaderLost;
  } else {
    return status;
  }
  return result;
}

}  // namespace syncline
