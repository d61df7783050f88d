#include "server/service/worker_state_calls.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "server/service/request_checks.h"

namespace syncline {

absl::Status ReceiveWorkerState(grpc::ServerReaderInterface<WorkerStatePart>* parts,
                                Shard* shard) {
  WorkerStatePart head;
  if (!parts->Read(&head) || !head.has_sender()) {
    return absl::InvalidArgumentError(
        "sender: the first message of a worker's state says whose it is");
  }
  SYNCLINE_RETURN_IF_ERROR(CheckSender(head.sender()));
  WorkerState state;
  state.clock = head.clock();
  state.updates = head.updates();
  WorkerStatePart part;
  while (parts->Read(&part)) {
    auto bytes = std::make_shared<const std::string>(std::move(*part.mutable_data()));
    const bool first =
        state.slots
            .emplace(std::make_pair(part.chunk(), part.slot()),
                     Fragments::Of(bytes->data(), bytes->size(), bytes))
            .second;
    if (first) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("slot ", part.slot(), " of chunk ", part.chunk(), " came twice"));
  }
  if (state.slots.size() != head.parts()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "parts is ", head.parts(), ", but ", state.slots.size(), " came: send all of them"));
  }
  return shard->KeepWorkerState(head.sender(), std::move(state), head.leaving());
}

absl::Status SendWorkerState(const Sender& to, Shard* shard,
                             grpc::ServerWriterInterface<WorkerStatePart>* parts) {
  SYNCLINE_RETURN_IF_ERROR(CheckSender(to));
  SYNCLINE_ASSIGN_OR_RETURN(const auto state, shard->FetchWorkerState(to));
  if (state == nullptr) return absl::OkStatus();
  WorkerStatePart head;
  head.set_clock(state->clock);
  head.set_updates(state->updates);
  head.set_parts(state->slots.size());
  bool open = parts->Write(head);
  for (const auto& [place, floats] : state->slots) {
    WorkerStatePart part;
    part.set_chunk(place.first);
    part.set_slot(place.second);
    for (const Fragments::Piece& piece : floats.pieces()) {
      part.mutable_data()->append(piece.data, piece.size);
    }
    open = open && parts->Write(part);
  }
  return open ? absl::OkStatus() : absl::CancelledError("the worker has gone");
}

}  // namespace syncline
