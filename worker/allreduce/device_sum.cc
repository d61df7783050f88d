#include "worker/allreduce/device_sum.h"

#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

constexpr absl::Duration kPoll = absl::Microseconds(20);

absl::Status MakeEvent(const Device* device, std::vector<Event>* event) {
  SYNCLINE_ASSIGN_OR_RETURN(Event made, Event::Create(device));
  event->push_back(std::move(made));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceSum>> DeviceSum::Create(const Options& options,
                                                             std::unique_ptr<DeviceGroup> group) {
  std::unique_ptr<DeviceSum> sum(new DeviceSum(options, std::move(group)));
  SYNCLINE_RETURN_IF_ERROR(sum->Plan());
  return sum;
}

void DeviceSum::Append(const std::vector<uint32_t>& chunks, bool gradients, size_t process,
                       std::vector<DeviceGroup::Part>* parts, std::vector<Run>* own) const {
  const int root = static_cast<int>(process);
  Network* const network = options_.network;
  for (const uint32_t c : chunks) {
    const auto [tensor, begin, floats] = options_.chunks[c];
    float* const device = (gradients ? network->device_gradient(tensor) : network->device_value(tensor)) + begin;
    if (!parts->empty() && parts->back().root == root && parts->back().data + parts->back().floats == device) {
      parts->back().floats += floats;
    } else {
      parts->push_back({device, floats, root});
    }
    if (process != options_.me) continue;
    float* const host = (gradients ? options_.sums[tensor] : network->value(tensor)) + begin;
    Run* const last = own->empty() ? nullptr : &own->back();
    if (last != nullptr && last->device + last->floats == device && last->host + last->floats == host) {
      last->floats += floats;
    } else {
      own->push_back({host, device, floats});
    }
  }
}

absl::Status DeviceSum::Plan() {
  std::vector<size_t> all(options_.processes);
  std::iota(all.begin(), all.end(), size_t{0});
  const std::vector<SumBucket> buckets = CutBuckets(options_.chunks, all, all.size());
  batch_of_.resize(options_.sums.size());
  size_t floats = 0;
  for (const SumBucket& bucket : buckets) {
    if (batches_.empty() || floats >= options_.batch_floats) {
      batches_.emplace_back();
      floats = 0;
    }
    Batch& batch = batches_.back();
    batch.parameters += bucket.end - bucket.begin;
    for (size_t t = bucket.begin; t < bucket.end; ++t) batch_of_[t] = batches_.size() - 1;
    for (size_t p = 0; p < options_.processes; ++p) {
      Append(bucket.shares[p], /*gradients=*/true, p, &batch.parts, &batch.own);
      for (const uint32_t c : bucket.shares[p]) floats += options_.chunks[c].elements;
    }
    const std::vector<uint32_t>& own = bucket.shares[options_.me];
    batch.chunks.insert(batch.chunks.end(), own.begin(), own.end());
  }
  for (Batch& batch : batches_) {
    SYNCLINE_RETURN_IF_ERROR(MakeEvent(options_.device, &batch.made));
    SYNCLINE_RETURN_IF_ERROR(MakeEvent(options_.device, &batch.summed));
    SYNCLINE_RETURN_IF_ERROR(MakeEvent(options_.device, &batch.copied));
  }
  for (size_t p = 0; p < options_.processes; ++p) {
    Append(ShareOf(buckets, p), /*gradients=*/false, p, &weights_, &own_weights_);
  }
  return MakeEvent(options_.device, &gathered_);
}

absl::Status DeviceSum::Check(const absl::Status& status) {
  if (!absl::IsUnavailable(status)) return status;
  failure_ = std::string(status.message());
  return absl::AbortedError(absl::StrCat("sums on the devices failed: ", failure_));
}

absl::StatusOr<bool> DeviceSum::Ready() {
  const auto ready = group_->Ready();
  SYNCLINE_RETURN_IF_ERROR(Check(ready.status()));
  return *ready;
}

absl::Status DeviceSum::Await(const std::function<absl::StatusOr<bool>()>& there) {
  while (true) {
    SYNCLINE_ASSIGN_OR_RETURN(const bool now, there());
    if (now) return absl::OkStatus();
    SYNCLINE_RETURN_IF_ERROR(options_.mailbox->StillOn());
    absl::SleepFor(kPoll);
  }
}

absl::Status DeviceSum::Gather() {
  for (const Run& run : own_weights_) {
    SYNCLINE_RETURN_IF_ERROR(options_.device->Run(&Backend::copy, kGroupStream, run.device,
                                                  static_cast<const float*>(run.host), sizeof(float) * run.floats));
  }
  SYNCLINE_RETURN_IF_ERROR(Check(group_->Broadcast(weights_)));
  sent_bytes_ += (options_.processes - 1) * SentBytes(weights_, options_.me, /*own=*/true);
  SYNCLINE_RETURN_IF_ERROR(Await([this] { return Ready(); }));
  SYNCLINE_RETURN_IF_ERROR(gathered_[0].Record(kGroupStream));
  return Await([this]() -> absl::StatusOr<bool> {
    SYNCLINE_RETURN_IF_ERROR(Ready().status());
    return gathered_[0].Done();
  });
}

void DeviceSum::Begin(Summed summed) {
  summed_ = std::move(summed);
  made_.assign(batches_.size(), 0);
  complete_ = submitted_ = copied_ = ended_ = 0;
}

absl::Status DeviceSum::Made(size_t parameter) {
  const size_t b = batch_of_[parameter];
  if (++made_[b] == batches_[b].parameters) SYNCLINE_RETURN_IF_ERROR(batches_[b].made[0].Record(kComputeStream));
  while (complete_ < batches_.size() && made_[complete_] == batches_[complete_].parameters) ++complete_;
  return Advance(/*wait=*/false);
}

absl::Status DeviceSum::Finish() { return Advance(/*wait=*/true); }

absl::Status DeviceSum::Submit(Batch* batch) {
  SYNCLINE_RETURN_IF_ERROR(batch->made[0].Delay(kGroupStream));
  SYNCLINE_RETURN_IF_ERROR(Check(group_->Reduce(batch->parts)));
  sent_bytes_ += SentBytes(batch->parts, options_.me, /*own=*/false);
  ++submitted_;
  return absl::OkStatus();
}

absl::Status DeviceSum::Copy(Batch* batch) {
  SYNCLINE_RETURN_IF_ERROR(batch->summed[0].Record(kGroupStream));
  SYNCLINE_RETURN_IF_ERROR(batch->summed[0].Delay(kDownloadStream));
  for (const Run& run : batch->own) {
    SYNCLINE_RETURN_IF_ERROR(options_.device->Run(&Backend::copy, kDownloadStream, run.host,
                                                  static_cast<const float*>(run.device), sizeof(float) * run.floats));
  }
  SYNCLINE_RETURN_IF_ERROR(batch->copied[0].Record(kDownloadStream));
  ++copied_;
  return absl::OkStatus();
}

absl::StatusOr<bool> DeviceSum::Step() {
  SYNCLINE_ASSIGN_OR_RETURN(const bool ready, Ready());
  if (ready && copied_ < submitted_) {
    SYNCLINE_RETURN_IF_ERROR(Copy(&batches_[copied_]));
    return true;
  }
  if (ready && submitted_ < complete_) {
    SYNCLINE_RETURN_IF_ERROR(Submit(&batches_[submitted_]));
    return true;
  }
  if (ended_ == copied_) return false;
  SYNCLINE_ASSIGN_OR_RETURN(const bool there, batches_[ended_].copied[0].Done());
  if (there) summed_(batches_[ended_++].chunks);
  return there;
}

absl::Status DeviceSum::Advance(bool wait) {
  while (ended_ < batches_.size()) {
    SYNCLINE_ASSIGN_OR_RETURN(const bool moved, Step());
    if (moved) continue;
    if (!wait) return absl::OkStatus();
    SYNCLINE_RETURN_IF_ERROR(options_.mailbox->StillOn());
    absl::SleepFor(kPoll);
  }
  return absl::OkStatus();
}

void DeviceSum::Leave() {
  if (group_ == nullptr) return;
  group_.reset();
  options_.device->Run(&Backend::synchronize).IgnoreError();
}

uint64_t DeviceSum::SentBytes(const std::vector<DeviceGroup::Part>& parts, size_t me, bool own) {
  uint64_t floats = 0;
  for (const DeviceGroup::Part& part : parts) {
    if ((part.root == static_cast<int>(me)) == own) floats += part.floats;
  }
  return sizeof(float) * floats;
}

}  // namespace syncline
