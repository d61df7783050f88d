#include "worker/allreduce/collective.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/optimizer/kernels.h"
#include "common/status/status_macros.h"
#include "common/tensor/fragments.h"

namespace syncline {
namespace {

// A message is at least so long, if there is as much.
constexpr size_t kMessageFloats = size_t{1} << 18;
// Below, fewer messages are worth more than fewer bytes.
constexpr size_t kShortFloats = size_t{1} << 16;
constexpr size_t kBlockFloats = 2048;
constexpr uint32_t kPartsARound = 1u << 16;

}  // namespace

Collective::~Collective() { AwaitSent(); }

void Collective::AwaitSent() {
  for (const auto& delivery : sent_) delivery->Wait();
  sent_.clear();
}

bool Collective::Halves(const Segments& segments) const {
  const size_t n = places_.size();
  size_t floats = 0;
  for (const auto& segment : segments) {
    for (const Run& run : segment) floats += run.floats;
  }
  return (n & (n - 1)) == 0 && floats < kShortFloats;
}

Collective::Messages Collective::Cut(const Segments& segments, size_t begin, size_t end) {
  Messages messages;
  size_t room = 0;
  for (size_t s = begin; s < end; ++s) {
    for (Run run : segments[s]) {
      while (run.floats > 0) {
        if (room == 0) {
          messages.emplace_back();
          room = kMessageFloats;
        }
        const size_t floats = std::min(run.floats, room);
        messages.back().push_back({run.data, floats});
        run = {run.data + floats, run.floats - floats};
        room -= floats;
      }
    }
  }
  return messages;
}

void Collective::Send(TeamMessage::Kind kind, size_t to, uint32_t part, const std::vector<Run>& message) {
  TeamMessage head;
  head.set_kind(kind);
  head.set_generation(attempt_.generation);
  head.set_attempt(attempt_.number);
  head.set_part(part);
  Fragments data;
  for (const Run& run : message) data.Append(run.data, run.floats * sizeof(float));
  sent_bytes_ += data.size();
  sent_.push_back(team_->Send(places_[to], std::move(head), data));
}

absl::Status Collective::Receive(TeamMessage::Kind kind, size_t from, uint32_t part, const std::vector<Run>& to) {
  SYNCLINE_ASSIGN_OR_RETURN(const DecodedTeamMessage message, team_->mailbox()->Take(kind, places_[from], part));
  size_t floats = 0;
  for (const Run& run : to) floats += run.floats;
  if (message.data.size() != floats * sizeof(float)) {
    return absl::InternalError(absl::StrCat("place ", places_[from], " sent ", message.data.size(),
                                            " bytes of a part of ", floats * sizeof(float),
                                            ": run the same job everywhere"));
  }
  FloatReader reader(message.data);
  for (const Run& run : to) {
    if (kind == TeamMessage::GATHER) {
      reader.Copy(run.floats * sizeof(float), reinterpret_cast<char*>(run.data));
      continue;
    }
    float scratch[kBlockFloats];
    for (size_t done = 0; done < run.floats;) {
      const size_t count = std::min(run.floats - done, kBlockFloats);
      AddScaled(1.0f, reader.Next(count, scratch), run.data + done, count);
      done += count;
    }
  }
  return absl::OkStatus();
}

// In each round a process passes on the segment that it got in the round before; `first` is the one it begins with.
absl::Status Collective::GoRound(TeamMessage::Kind kind, const Segments& segments, size_t first) {
  const size_t n = places_.size();
  const size_t next = (me_ + 1) % n, before = (me_ + n - 1) % n;
  Messages passing = Cut(segments, first, first + 1);
  for (uint32_t i = 0; i < passing.size(); ++i) Send(kind, next, i, passing[i]);
  for (size_t round = 0; round + 1 < n; ++round) {
    first = (first + n - 1) % n;
    passing = Cut(segments, first, first + 1);
    for (uint32_t i = 0; i < passing.size(); ++i) {
      const uint32_t part = static_cast<uint32_t>(round) * kPartsARound + i;
      SYNCLINE_RETURN_IF_ERROR(Receive(kind, before, part, passing[i]));
      if (round + 2 < n) Send(kind, next, part + kPartsARound, passing[i]);
    }
  }
  return absl::OkStatus();
}

absl::Status Collective::Exchange(TeamMessage::Kind kind, size_t with, size_t round, const Messages& out,
                                  const Messages& in) {
  const uint32_t first = static_cast<uint32_t>(round) * kPartsARound;
  for (uint32_t i = 0; i < out.size(); ++i) Send(kind, with, first + i, out[i]);
  for (uint32_t i = 0; i < in.size(); ++i) SYNCLINE_RETURN_IF_ERROR(Receive(kind, with, first + i, in[i]));
  return absl::OkStatus();
}

absl::Status Collective::ReduceScatter(const Segments& segments) {
  const size_t n = places_.size();
  if (!Halves(segments)) {
    SYNCLINE_RETURN_IF_ERROR(GoRound(TeamMessage::REDUCE, segments, (me_ + n - 1) % n));
  } else {
    size_t begin = 0, round = 0;
    for (size_t half = n / 2; half > 0; half /= 2, ++round) {
      const bool lower = (me_ & half) == 0;
      const size_t mine = lower ? begin : begin + half, theirs = lower ? begin + half : begin;
      SYNCLINE_RETURN_IF_ERROR(Exchange(TeamMessage::REDUCE, me_ ^ half, round,
                                        Cut(segments, theirs, theirs + half), Cut(segments, mine, mine + half)));
      begin = mine;
    }
  }
  AwaitSent();
  return absl::OkStatus();
}

absl::Status Collective::AllGather(const Segments& segments) {
  const size_t n = places_.size();
  if (!Halves(segments)) {
    SYNCLINE_RETURN_IF_ERROR(GoRound(TeamMessage::GATHER, segments, me_));
  } else {
    size_t round = 0;
    for (size_t have = 1; have < n; have *= 2, ++round) {
      const size_t mine = me_ / have * have, theirs = mine ^ have;
      SYNCLINE_RETURN_IF_ERROR(Exchange(TeamMessage::GATHER, me_ ^ have, round, Cut(segments, mine, mine + have),
                                        Cut(segments, theirs, theirs + have)));
    }
  }
  AwaitSent();
  return absl::OkStatus();
}

}  // namespace syncline
