#include "worker/allreduce/collective.h"

#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/codec/codec.h"
#include "common/hash/mix.h"
#include "common/status/status_macros.h"
#include "common/tensor/fragments.h"
#include "worker/team/add_next.h"

namespace syncline {
namespace {

// sum = data + what comes.
void AddRuns(const Fragments& data, const std::vector<FloatRun>& runs) {
  FloatDecoder decoder(CODEC_NONE, data);
  for (const FloatRun& run : runs) {
    decoder.SetCodec(run.codec);
    AddNext(&decoder, run.data, run.floats, run.sum == nullptr ? run.data : run.sum);
  }
}

void PutRuns(const Fragments& data, const std::vector<FloatRun>& runs) {
  FloatReader reader(data);
  for (const FloatRun& run : runs) reader.Copy(run.floats * sizeof(float), reinterpret_cast<char*>(run.data));
}

}  // namespace

void Collective::AwaitSent() {
  for (const auto& delivery : sent_) delivery->Wait();
  sent_.clear();
}

void Collective::Send(TeamMessage::Kind kind, uint64_t part, const CollectiveAction& action) {
  Fragments data;
  if (action.coded != nullptr) {
    Encode(part, action);
    data.Append(action.coded, MessageBytes(action.runs));
  } else {
    for (const Run& run : action.runs) data.Append(run.data, run.floats * sizeof(float));
  }
  sent_bytes_ += data.size();
  sent_.push_back(team_->Send(places_[action.peer], MessageOf(kind, attempt_, part), data));
}

void Collective::Encode(uint64_t part, const CollectiveAction& action) const {
  uint64_t seed = Mix(Mix(Mix(seed_ + part) + me_) + action.peer);
  char* out = action.coded;
  for (const Run& run : action.runs) {
    EncodeFloats(run.codec, run.data, run.floats, seed++, out);
    out += EncodedBytes(run.codec, run.floats);
  }
}

absl::StatusOr<bool> Collective::Receive(TeamMessage::Kind kind, uint64_t part, const CollectiveAction& action,
                                         bool wait) {
  const uint32_t from = places_[action.peer];
  if (wait) {
    SYNCLINE_ASSIGN_OR_RETURN(const DecodedTeamMessage message, team_->mailbox()->Take(kind, from, part));
    SYNCLINE_RETURN_IF_ERROR(Take(message, action));
    return true;
  }
  SYNCLINE_ASSIGN_OR_RETURN(const auto message, team_->mailbox()->TakeIfThere(kind, from, part));
  if (!message) return false;
  SYNCLINE_RETURN_IF_ERROR(Take(*message, action));
  return true;
}

absl::Status Collective::Take(const DecodedTeamMessage& message, const CollectiveAction& action) const {
  const size_t bytes = MessageBytes(action.runs);
  if (message.data.size() != bytes) {
    return absl::InternalError(absl::StrCat("place ", places_[action.peer], " sent ", message.data.size(),
                                            " bytes of a part of ", bytes, ": run the same job everywhere"));
  }
  if (action.kind == CollectiveAction::kAdd) {
    AddRuns(message.data, action.runs);
  } else {
    PutRuns(message.data, action.runs);
  }
  return message.CheckIntact();
}

absl::StatusOr<Collective::Going> Collective::Begin(TeamMessage::Kind kind, const CollectivePlan& plan) {
  Going going = {kind, &plan, begun_[kind]++, 0};
  SYNCLINE_RETURN_IF_ERROR(Advance(&going, /*wait=*/false));
  return going;
}

absl::Status Collective::Advance(Going* going, bool wait) {
  for (; !going->ended(); ++going->next) {
    const CollectiveAction& action = (*going->plan)[going->next];
    const uint64_t part = going->number << 32 | action.part;
    if (action.kind == CollectiveAction::kSend) {
      Send(going->kind, part, action);
    } else if (action.kind == CollectiveAction::kCopy) {
      for (const Run& run : action.runs) {
        if (run.sum != nullptr) std::memcpy(run.sum, run.data, run.floats * sizeof(float));
      }
    } else {
      SYNCLINE_ASSIGN_OR_RETURN(const bool there, Receive(going->kind, part, action, wait));
      if (!there) return absl::OkStatus();
      wait = false;
    }
  }
  return absl::OkStatus();
}

absl::Status Collective::Finish(Going* going) {
  while (!going->ended()) SYNCLINE_RETURN_IF_ERROR(Advance(going, /*wait=*/true));
  return absl::OkStatus();
}

absl::Status Collective::Complete(TeamMessage::Kind kind, const CollectivePlan& plan) {
  SYNCLINE_ASSIGN_OR_RETURN(Going going, Begin(kind, plan));
  SYNCLINE_RETURN_IF_ERROR(Finish(&going));
  AwaitSent();
  return absl::OkStatus();
}

absl::Status Collective::ReduceScatter(const Segments& segments) {
  return Complete(TeamMessage::REDUCE, PlanReduceScatter(segments, me_));
}

absl::Status Collective::AllGather(const Segments& segments) {
  return Complete(TeamMessage::GATHER, PlanAllGather(segments, me_));
}

}  // namespace syncline
