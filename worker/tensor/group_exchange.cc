#include "worker/tensor/group_exchange.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/time/steady_now.h"
#include "worker/team/add_next.h"

namespace syncline {
namespace {

// Below, one round of more bytes takes less time than two of fewer.
constexpr size_t kShortFloats = size_t{1} << 13;

size_t BytesIn(const PartRange& range) { return sizeof(float) * (range.end - range.begin); }

Fragments FloatsIn(const float* data, const PartRange& range) {
  return Fragments::Of(data + range.begin, BytesIn(range));
}

}  // namespace

void GroupExchange::Begin(const TeamAttempt& attempt) {
  AwaitSent();
  attempt_ = attempt;
  round_ = 0;
}

void GroupExchange::BeginRound() {
  ++round_;
  Await(&sent_[round_ % 2]);
}

void GroupExchange::Send(int to, const Fragments& data) {
  if (data.empty()) return;
  TeamMessage head;
  head.set_kind(TeamMessage::SHARE);
  head.set_generation(attempt_.generation);
  head.set_attempt(attempt_.number);
  head.set_part(round_);
  sent_bytes_ += data.size();
  sent_[round_ % 2].push_back(options_.team->Send(options_.first_place + to, std::move(head), data));
}

absl::Status GroupExchange::Receive(int from, size_t bytes, const std::function<void(FloatReader*)>& read) {
  if (bytes == 0) return absl::OkStatus();
  const absl::Time begin = SteadyNow();
  const auto message = options_.team->mailbox()->Take(TeamMessage::SHARE, options_.first_place + from, round_);
  idle_seconds_ += SecondsSince(begin);
  SYNCLINE_RETURN_IF_ERROR(message.status());
  if (message->data.size() != bytes) {
    return absl::InternalError(absl::StrCat("part ", from, " of a stage sent ", message->data.size(),
                                            " bytes in round ", round_, " in place of ", bytes,
                                            ": run the same job everywhere"));
  }
  FloatReader reader(message->data);
  read(&reader);
  return message->CheckIntact();
}

void GroupExchange::Await(std::vector<std::shared_ptr<Delivery>>* sent) {
  const absl::Time begin = SteadyNow();
  for (const auto& delivery : *sent) delivery->Wait();
  sent->clear();
  idle_seconds_ += SecondsSince(begin);
}

void GroupExchange::AwaitSent() {
  for (auto& sent : sent_) Await(&sent);
}

absl::StatusOr<float*> GroupExchange::Outbox(size_t floats) {
  DeviceMemory& memory = outbox_[round_ % 2];
  if (memory.bytes() < sizeof(float) * floats) {
    memory = DeviceMemory();
    SYNCLINE_ASSIGN_OR_RETURN(memory, ToSend(sizeof(float) * floats));
  }
  return memory.floats();
}

absl::StatusOr<DeviceMemory> GroupExchange::ToSend(size_t bytes) {
  return DeviceMemory::AdoptOrAllocate(options_.device, options_.team->memory()->Allocate(bytes), bytes);
}

absl::StatusOr<float*> GroupExchange::Inbox(float* device_memory, size_t floats) {
  if (options_.device->host_memory()) return device_memory;
  const size_t bytes = sizeof(float) * floats;
  if (inbox_.bytes() < bytes) {
    inbox_ = DeviceMemory();
    SYNCLINE_ASSIGN_OR_RETURN(inbox_, DeviceMemory::Allocate(options_.device, bytes, DeviceMemory::Place::kHost));
  }
  return inbox_.floats();
}

absl::Status GroupExchange::ToHost(float* host, const float* data, size_t floats) {
  SYNCLINE_RETURN_IF_ERROR(
      options_.device->Run(&Backend::copy, kComputeStream, host, data, sizeof(float) * floats));
  return options_.device->Run(&Backend::synchronize);
}

absl::Status GroupExchange::ToDevice(float* data, const float* host, size_t floats) {
  if (data == host) return absl::OkStatus();
  SYNCLINE_RETURN_IF_ERROR(
      options_.device->Run(&Backend::copy, kComputeStream, data, host, sizeof(float) * floats));
  return options_.device->Run(&Backend::synchronize);  // the host's memory is used again
}

// Everybody gets all and adds it up; or adds up a part, and then gets the others'.
PartRange GroupExchange::AddedBy(int p) const {
  const int64_t floats = static_cast<int64_t>(floats_);
  return parts() == 2 || floats_ < kShortFloats ? PartRange{0, floats} : PartOf(floats, p, parts());
}

absl::Status GroupExchange::StartSum(float* data, size_t floats) {
  sum_ = data;
  floats_ = floats;
  BeginRound();
  SYNCLINE_ASSIGN_OR_RETURN(float* const own, Outbox(floats));
  SYNCLINE_RETURN_IF_ERROR(ToHost(own, data, floats));
  for (int p = 0; p < parts(); ++p) {
    if (p != part()) Send(p, FloatsIn(own, AddedBy(p)));
  }
  return absl::OkStatus();
}

absl::Status GroupExchange::FinishSum() {
  const PartRange range = AddedBy(part());
  const size_t floats = range.end - range.begin;
  SYNCLINE_ASSIGN_OR_RETURN(const float* const own, Outbox(floats_));
  SYNCLINE_ASSIGN_OR_RETURN(float* const sum, Inbox(sum_, floats_));
  for (int p = 0; p < parts(); ++p) {
    float* const here = sum + range.begin;
    const auto add = [&](FloatReader* reader) {
      if (p > 0) return AddNext(reader, here, floats, here);
      reader->Copy(BytesIn(range), reinterpret_cast<char*>(here));
    };
    if (p == part()) {
      const Fragments mine = FloatsIn(own, range);
      FloatReader reader(mine);
      add(&reader);
    } else {
      SYNCLINE_RETURN_IF_ERROR(Receive(p, BytesIn(range), add));
    }
  }
  if (floats < floats_) SYNCLINE_RETURN_IF_ERROR(GatherSums(sum));
  return ToDevice(sum_, sum, floats_);
}

absl::Status GroupExchange::GatherSums(float* sum) {
  const PartRange range = AddedBy(part());
  BeginRound();
  SYNCLINE_ASSIGN_OR_RETURN(float* const own, Outbox(floats_));
  std::copy(sum + range.begin, sum + range.end, own + range.begin);
  for (int p = 0; p < parts(); ++p) {
    if (p != part()) Send(p, FloatsIn(own, range));
  }
  for (int p = 0; p < parts(); ++p) {
    if (p == part()) continue;
    const PartRange theirs = AddedBy(p);
    SYNCLINE_RETURN_IF_ERROR(Receive(p, BytesIn(theirs), [&](FloatReader* reader) {
      reader->Copy(BytesIn(theirs), reinterpret_cast<char*>(sum + theirs.begin));
    }));
  }
  return absl::OkStatus();
}

absl::Status GroupExchange::Gather(int rows, int width, const float* own, float* whole) {
  const size_t floats = static_cast<size_t>(rows) * AxisPart::Of(width, this).here();
  const size_t all = static_cast<size_t>(rows) * width;
  BeginRound();
  SYNCLINE_ASSIGN_OR_RETURN(float* const mine, Outbox(floats));
  SYNCLINE_RETURN_IF_ERROR(ToHost(mine, own, floats));
  SYNCLINE_ASSIGN_OR_RETURN(float* const to, Inbox(whole, all));
  const Fragments sent = Fragments::Of(mine, sizeof(float) * floats);
  for (int p = 0; p < parts(); ++p) {
    if (p != part()) Send(p, sent);
  }
  for (int p = 0; p < parts(); ++p) {
    const PartRange columns = PartOf(width, p, parts());
    const auto place = [&](FloatReader* reader) {
      for (int r = 0; r < rows; ++r) {
        reader->Copy(BytesIn(columns), reinterpret_cast<char*>(to + static_cast<size_t>(r) * width + columns.begin));
      }
    };
    if (p == part()) {
      FloatReader reader(sent);
      place(&reader);
    } else {
      SYNCLINE_RETURN_IF_ERROR(Receive(p, BytesIn(columns) * rows, place));
    }
  }
  return ToDevice(whole, to, all);
}

// In a round of its own, whose memory nothing is sent from.
absl::Status GroupExchange::Take(int rows, int width, const float* whole, float* own) {
  const AxisPart columns = AxisPart::Of(width, this);
  const size_t floats = static_cast<size_t>(rows) * columns.here();
  const float* from = whole;
  if (!options_.device->host_memory()) {
    BeginRound();
    SYNCLINE_ASSIGN_OR_RETURN(float* const host, Outbox(static_cast<size_t>(rows) * width));
    SYNCLINE_RETURN_IF_ERROR(ToHost(host, whole, static_cast<size_t>(rows) * width));
    from = host;
  }
  SYNCLINE_ASSIGN_OR_RETURN(float* const to, Inbox(own, floats));
  for (int r = 0; r < rows; ++r) {
    std::copy_n(from + static_cast<size_t>(r) * width + columns.begin, columns.here(),
                to + static_cast<size_t>(r) * columns.here());
  }
  return ToDevice(own, to, floats);
}

}  // namespace syncline
