#include "worker/allreduce/collective.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/optimizer/kernels.h"
#include "common/status/status_macros.h"
#include "common/tensor/fragments.h"

namespace syncline {
namespace {

constexpr size_t kBlockFloats = 2048;

// sum = data + what comes.
void AddNext(FloatReader* reader, const FloatRun& run) {
  float scratch[kBlockFloats];
  float* const sum = run.sum == nullptr ? run.data : run.sum;
  for (size_t done = 0; done < run.floats;) {
    const size_t count = std::min(run.floats - done, kBlockFloats);
    Add(run.data + done, reader->Next(count, scratch), sum + done, count);
    done += count;
  }
}

}  // namespace

void Collective::AwaitSent() {
  for (const auto& delivery : sent_) delivery->Wait();
  sent_.clear();
}

void Collective::Send(TeamMessage::Kind kind, uint64_t part, const CollectiveAction& action) {
  Fragments data;
  for (const Run& run : action.runs) data.Append(run.data, run.floats * sizeof(float));
  sent_bytes_ += data.size();
  sent_.push_back(team_->Send(places_[action.peer], MessageOf(kind, attempt_, part), data));
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
  size_t floats = 0;
  for (const Run& run : action.runs) floats += run.floats;
  if (message.data.size() != floats * sizeof(float)) {
    return absl::InternalError(absl::StrCat("place ", places_[action.peer], " sent ", message.data.size(),
                                            " bytes of a part of ", floats * sizeof(float),
                                            ": run the same job everywhere"));
  }
  FloatReader reader(message.data);
  for (const Run& run : action.runs) {
    if (action.kind == CollectiveAction::kAdd) {
      AddNext(&reader, run);
    } else {
      reader.Copy(run.floats * sizeof(float), reinterpret_cast<char*>(run.data));
    }
  }
  return message.CheckIntact();
}

absl::StatusOr<Collective::Going> Collective::Begin(TeamMessage::Kind kind, const CollectivePlan& plan) {
  Going going = {kind, &plan, begun_++, 0};
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
    }
  }
  return absl::OkStatus();
}

absl::Status Collective::Complete(TeamMessage::Kind kind, const CollectivePlan& plan) {
  SYNCLINE_ASSIGN_OR_RETURN(Going going, Begin(kind, plan));
  SYNCLINE_RETURN_IF_ERROR(Advance(&going, /*wait=*/true));
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
