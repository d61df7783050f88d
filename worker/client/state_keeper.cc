#include "worker/client/state_keeper.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc/call.h"
#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"
#include "common/status/status_macros.h"
#include "common/time/steady_now.h"

namespace syncline {
namespace {

constexpr absl::Duration kAttempt = absl::Minutes(2);

WorkerStatePart PartOf(uint32_t chunk, uint32_t slot, const float* floats, size_t count) {
  WorkerStatePart part;
  part.set_chunk(chunk);
  part.set_slot(slot);
  part.set_data(floats, count * sizeof(float));
  return part;
}

}  // namespace

StateKeeper::~StateKeeper() { FinishSending().IgnoreError(); }

absl::Status StateKeeper::FinishSending() {
  if (sending_.joinable()) sending_.join();
  return std::exchange(sent_, absl::OkStatus());
}

absl::Status StateKeeper::HandIn(Clock clock, const Client::OwnState& own, bool leaving) {
  SYNCLINE_RETURN_IF_ERROR(FinishSending());
  WorkerStatePart head;
  *head.mutable_sender() = options_.sender;
  head.set_clock(clock);
  head.set_updates(own.updates);
  head.set_leaving(leaving);
  std::vector<Parts> parts;
  for (size_t shard = 0; shard < options_.shards.size(); ++shard) {
    parts.push_back(PartsOf(shard, head, own));
  }
  sending_ = std::thread([this, parts = std::move(parts)] {
    for (size_t shard = 0; sent_.ok() && shard < parts.size(); ++shard) {
      sent_ = Send(shard, parts[shard]);
    }
  });
  return leaving ? FinishSending() : absl::OkStatus();
}

// A copy: the worker goes on while it is sent.
StateKeeper::Parts StateKeeper::PartsOf(size_t shard, const WorkerStatePart& head,
                                        const Client::OwnState& own) const {
  Parts parts = {head};
  for (const Router::Group& group : options_.router->pulls()) {
    if (group.shard != shard) continue;
    for (const uint32_t id : group.chunks) {
      const ChunkInfo& info = options_.router->chunks()[id];
      if (options_.encoder->remembers(id)) {
        parts.push_back(PartOf(id, 0, options_.encoder->held_back(id), info.elements));
      }
      for (size_t slot = 0; slot < own.slots.size(); ++slot) {
        parts.push_back(PartOf(id, static_cast<uint32_t>(slot) + 1,
                               own.slots[slot][info.tensor] + info.begin, info.elements));
      }
    }
  }
  parts[0].set_parts(parts.size() - 1);
  return parts;
}

// Calls a shard until it succeeds, within patience.
absl::Status StateKeeper::Call(size_t shard, const std::string& doing,
                               const std::function<absl::Status(grpc::ClientContext*)>& call) const {
  const std::string what = absl::StrCat(doing, " shard ", options_.addresses[shard]);
  return RetryUntil(SteadyNow() + options_.patience, what, [&]() -> absl::Status {
    grpc::ClientContext context;
    context.set_deadline(DeadlineIn(kAttempt));
    if (!options_.calls->Add(&context)) return absl::CancelledError("the client is closing");
    const absl::Status status = call(&context);
    options_.calls->Remove(&context);
    return status;
  });
}

absl::Status StateKeeper::Send(size_t shard, const Parts& parts) const {
  return Call(shard, "handing what this worker carries to", [&](grpc::ClientContext* context) {
    KeepWorkerStateReply reply;
    const auto stream = options_.shards[shard]->KeepWorkerState(context, &reply);
    for (const WorkerStatePart& part : parts) {
      if (!stream->Write(part)) break;  // Finish says why
    }
    stream->WritesDone();
    return FromGrpcStatus(stream->Finish());
  });
}

absl::StatusOr<StateKeeper::Parts> StateKeeper::Fetch(size_t shard) const {
  FetchWorkerStateRequest request;
  *request.mutable_sender() = options_.sender;
  Parts parts;
  const auto fetch = [&](grpc::ClientContext* context) {
    parts.clear();
    const auto stream = options_.shards[shard]->FetchWorkerState(context, request);
    WorkerStatePart part;
    while (stream->Read(&part)) parts.push_back(std::move(part));
    return FromGrpcStatus(stream->Finish());
  };
  SYNCLINE_RETURN_IF_ERROR(Call(shard, "fetching what this worker carries from", fetch));
  return parts;
}

// Where a part belongs; null if it is none of this job's.
float* StateKeeper::Place(const WorkerStatePart& part, const Client::OwnState& own) const {
  if (part.chunk() >= options_.router->chunks().size()) return nullptr;
  const ChunkInfo& info = options_.router->chunks()[part.chunk()];
  if (part.data().size() != info.elements * sizeof(float)) return nullptr;
  if (part.slot() == 0) {
    return options_.encoder->remembers(info.id) ? options_.encoder->held_back(info.id) : nullptr;
  }
  if (part.slot() > own.slots.size()) return nullptr;
  return own.slots[part.slot() - 1][info.tensor] + info.begin;
}

absl::StatusOr<bool> StateKeeper::TakeOver(Client::OwnState* own) {
  size_t expected = 0;
  for (const ChunkInfo& info : options_.router->chunks()) {
    expected += options_.encoder->remembers(info.id) + own->slots.size();
  }
  Parts all;
  std::vector<float*> places;
  uint64_t updates = 0;
  for (size_t shard = 0; shard < options_.shards.size(); ++shard) {
    SYNCLINE_ASSIGN_OR_RETURN(Parts parts, Fetch(shard));
    if (!parts.empty()) updates = parts[0].updates();
    for (size_t i = 1; i < parts.size(); ++i) {
      float* const place = Place(parts[i], *own);
      if (place == nullptr) continue;
      places.push_back(place);
      all.push_back(std::move(parts[i]));
    }
  }
  // A part of it would be of no use: an optimizer's slots belong together.
  if (all.empty() || all.size() != expected) return false;
  for (size_t i = 0; i < all.size(); ++i) {
    std::memcpy(places[i], all[i].data().data(), all[i].data().size());
  }
  own->updates = updates;
  return true;
}

}  // namespace syncline
