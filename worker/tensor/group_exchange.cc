#include "worker/tensor/group_exchange.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/optimizer/kernels.h"
#include "common/status/status_macros.h"
#include "common/time/steady_now.h"

namespace syncline {
namespace {

// Below, one round of more bytes takes less time than two of fewer.
constexpr size_t kShortFloats = size_t{1} << 13;
constexpr size_t kBlockFloats = 2048;

// sum[floats] becomes what `parts` have, added up in order; what `me` has lies there already.
void AddInOrder(const std::vector<Fragments>& parts, size_t me, float* sum, size_t floats) {
  std::vector<FloatReader> readers(parts.begin(), parts.end());
  float total[kBlockFloats], scratch[kBlockFloats];
  for (size_t done = 0; done < floats; done += kBlockFloats) {
    const size_t count = std::min(kBlockFloats, floats - done);
    std::fill_n(total, count, 0.0f);
    for (size_t p = 0; p < parts.size(); ++p) {
      AddScaled(1.0f, p == me ? sum + done : readers[p].Next(count, scratch), total, count);
    }
    std::copy_n(total, count, sum + done);
  }
}

Fragments FloatsIn(const float* data, const PartRange& range) {
  return Fragments::Of(data + range.begin, sizeof(float) * (range.end - range.begin));
}

}  // namespace

void GroupExchange::Begin(const TeamAttempt& attempt) {
  AwaitSent();
  attempt_ = attempt;
  round_ = 0;
}

void GroupExchange::Send(int to, const Fragments& data) {
  if (data.empty()) return;
  TeamMessage head;
  head.set_kind(TeamMessage::SHARE);
  head.set_generation(attempt_.generation);
  head.set_attempt(attempt_.number);
  head.set_part(round_);
  sent_bytes_ += data.size();
  sent_.push_back(options_.team->Send(options_.first_place + to, std::move(head), data));
}

absl::StatusOr<Fragments> GroupExchange::Receive(int from, size_t bytes) {
  if (bytes == 0) return absl::StatusOr<Fragments>(absl::in_place);
  const absl::Time begin = SteadyNow();
  auto message = options_.team->mailbox()->Take(TeamMessage::SHARE, options_.first_place + from, round_);
  idle_seconds_ += absl::ToDoubleSeconds(SteadyNow() - begin);
  SYNCLINE_RETURN_IF_ERROR(message.status());
  if (message->data.size() == bytes) return std::move(message->data);
  return absl::InternalError(absl::StrCat("part ", from, " of a stage sent ", message->data.size(), " bytes in round ",
                                          round_, " in place of ", bytes, ": run the same job everywhere"));
}

void GroupExchange::AwaitSent() {
  const absl::Time begin = SteadyNow();
  for (const auto& delivery : sent_) delivery->Wait();
  sent_.clear();
  idle_seconds_ += absl::ToDoubleSeconds(SteadyNow() - begin);
}

absl::StatusOr<float*> GroupExchange::Room(DeviceMemory* memory, size_t floats) {
  const size_t bytes = sizeof(float) * floats;
  if (memory->bytes() < bytes) {
    *memory = DeviceMemory();
    SYNCLINE_ASSIGN_OR_RETURN(*memory,
                              DeviceMemory::Allocate(options_.device, bytes, DeviceMemory::Place::kHost));
  }
  return memory->floats();
}

absl::StatusOr<float*> GroupExchange::OnHost(const float* data, size_t floats) {
  if (options_.device->host_memory()) return const_cast<float*>(data);
  SYNCLINE_ASSIGN_OR_RETURN(float* const host, Room(&host_, floats));
  SYNCLINE_RETURN_IF_ERROR(
      options_.device->Run(&Backend::copy, kComputeStream, host, data, sizeof(float) * floats));
  SYNCLINE_RETURN_IF_ERROR(options_.device->Run(&Backend::synchronize));
  return host;
}

absl::Status GroupExchange::ToDevice(float* data, const float* host, size_t floats) {
  if (options_.device->host_memory()) return absl::OkStatus();
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
  SYNCLINE_ASSIGN_OR_RETURN(summed_, OnHost(data, floats));
  sum_ = data;
  floats_ = floats;
  BeginRound();
  for (int p = 0; p < parts(); ++p) {
    if (p != part()) Send(p, FloatsIn(summed_, AddedBy(p)));
  }
  return absl::OkStatus();
}

absl::Status GroupExchange::FinishSum() {
  const PartRange own = AddedBy(part());
  std::vector<Fragments> from(parts());
  for (int p = 0; p < parts(); ++p) {
    if (p == part()) continue;
    SYNCLINE_ASSIGN_OR_RETURN(from[p], Receive(p, FloatsIn(summed_, own).size()));
  }
  AwaitSent();
  AddInOrder(from, part(), summed_ + own.begin, own.end - own.begin);
  if (own.end - own.begin < static_cast<int64_t>(floats_)) SYNCLINE_RETURN_IF_ERROR(GatherSums());
  return ToDevice(sum_, summed_, floats_);
}

absl::Status GroupExchange::GatherSums() {
  BeginRound();
  for (int p = 0; p < parts(); ++p) {
    if (p != part()) Send(p, FloatsIn(summed_, AddedBy(part())));
  }
  for (int p = 0; p < parts(); ++p) {
    if (p == part()) continue;
    const PartRange theirs = AddedBy(p);
    SYNCLINE_ASSIGN_OR_RETURN(const Fragments sum, Receive(p, FloatsIn(summed_, theirs).size()));
    FloatReader(sum).Copy(sum.size(), reinterpret_cast<char*>(summed_ + theirs.begin));
  }
  AwaitSent();
  return absl::OkStatus();
}

absl::Status GroupExchange::Gather(int rows, int width, const float* own, float* whole) {
  const AxisPart columns = AxisPart::Of(width, this);
  const size_t floats = static_cast<size_t>(rows) * columns.here(), all = static_cast<size_t>(rows) * width;
  SYNCLINE_ASSIGN_OR_RETURN(const float* const from, OnHost(own, floats));
  float* to = whole;
  if (!options_.device->host_memory()) {
    SYNCLINE_ASSIGN_OR_RETURN(to, Room(&host_whole_, all));
  }
  BeginRound();
  for (int p = 0; p < parts(); ++p) {
    if (p != part()) Send(p, Fragments::Of(from, sizeof(float) * floats));
  }
  for (int p = 0; p < parts(); ++p) {
    const PartRange range = PartOf(width, p, parts());
    const size_t bytes = sizeof(float) * (range.end - range.begin);
    Fragments columns_of = Fragments::Of(from, bytes * rows);
    if (p != part()) {
      SYNCLINE_ASSIGN_OR_RETURN(columns_of, Receive(p, bytes * rows));
    }
    FloatReader reader(columns_of);
    for (int r = 0; r < rows; ++r) {
      reader.Copy(bytes, reinterpret_cast<char*>(to + static_cast<size_t>(r) * width + range.begin));
    }
  }
  AwaitSent();
  return ToDevice(whole, to, all);
}

absl::Status GroupExchange::Take(int rows, int width, const float* whole, float* own) {
  const AxisPart columns = AxisPart::Of(width, this);
  const size_t floats = static_cast<size_t>(rows) * columns.here();
  SYNCLINE_ASSIGN_OR_RETURN(const float* const from, OnHost(whole, static_cast<size_t>(rows) * width));
  float* to = own;
  if (!options_.device->host_memory()) {
    SYNCLINE_ASSIGN_OR_RETURN(to, Room(&host_whole_, floats));
  }
  for (int r = 0; r < rows; ++r) {
    std::copy_n(from + static_cast<size_t>(r) * width + columns.begin, columns.here(),
                to + static_cast<size_t>(r) * columns.here());
  }
  return ToDevice(own, to, floats);
}

}  // namespace syncline
