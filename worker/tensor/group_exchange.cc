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

absl::Status GroupExchange::Sum(float* data, size_t floats) {
  SYNCLINE_ASSIGN_OR_RETURN(float* const host, OnHost(data, floats));
  SYNCLINE_RETURN_IF_ERROR(parts() == 2 || floats < kShortFloats ? SumAtOnce(host, floats)
                                                                 : SumInParts(host, floats));
  return ToDevice(data, host, floats);
}

// Everybody gets all, and adds it up.
absl::Status GroupExchange::SumAtOnce(float* data, size_t floats) {
  const size_t bytes = sizeof(float) * floats;
  BeginRound();
  std::vector<Fragments> from(parts());
  for (int p = 0; p < parts(); ++p) {
    if (p != part()) Send(p, Fragments::Of(data, bytes));
  }
  for (int p = 0; p < parts(); ++p) {
    if (p != part()) {
      SYNCLINE_ASSIGN_OR_RETURN(from[p], Receive(p, bytes));
    }
  }
  AwaitSent();
  AddInOrder(from, part(), data, floats);
  return absl::OkStatus();
}

// Everybody adds up its part, and then gets the others'.
absl::Status GroupExchange::SumInParts(float* data, size_t floats) {
  const auto of = [&](int p) {
    const PartRange range = PartOf(static_cast<int64_t>(floats), p, parts());
    return Fragments::Of(data + range.begin, sizeof(float) * (range.end - range.begin));
  };
  const PartRange own = PartOf(static_cast<int64_t>(floats), part(), parts());
  BeginRound();
  std::vector<Fragments> from(parts());
  for (int p = 0; p < parts(); ++p) {
    if (p != part()) Send(p, of(p));
  }
  for (int p = 0; p < parts(); ++p) {
    if (p != part()) {
      SYNCLINE_ASSIGN_OR_RETURN(from[p], Receive(p, of(part()).size()));
    }
  }
  AwaitSent();
  AddInOrder(from, part(), data + own.begin, own.end - own.begin);
  BeginRound();
  for (int p = 0; p < parts(); ++p) {
    if (p != part()) Send(p, of(part()));
  }
  for (int p = 0; p < parts(); ++p) {
    if (p == part()) continue;
    SYNCLINE_ASSIGN_OR_RETURN(const Fragments sum, Receive(p, of(p).size()));
    FloatReader(sum).Copy(sum.size(), const_cast<char*>(of(p).pieces()[0].data));
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
