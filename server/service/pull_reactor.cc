#include "server/service/pull_reactor.h"

#include <utility>
#include <vector>

#include "common/rpc/grpc_status.h"
#include "common/wire/chunk_message.h"

namespace syncline {

PullReactor* PullReactor::Start(std::shared_ptr<Shard> shard, const PullRequest& request,
                                grpc::ByteBuffer* reply) {
  auto* reactor = new PullReactor(shard, reply);
  const std::shared_ptr<Ticket> ticket = reactor->ticket_;
  const Shard::PullTicket number = shard->Pull(
      request.sender(), request.clock(), {request.chunks().begin(), request.chunks().end()},
      request.observer(), [reactor](auto result) { reactor->Answer(result); });
  // From here on the reactor may be gone.
  bool cancelled;
  {
    absl::MutexLock lock(&ticket->mu);
    ticket->number = number;
    cancelled = ticket->cancelled;
  }
  if (cancelled) shard->CancelPull(number);
  return reactor;
}

void PullReactor::OnCancel() {
  Shard::PullTicket number;
  {
    absl::MutexLock lock(&ticket_->mu);
    ticket_->cancelled = true;
    number = ticket_->number;
  }
  if (number != 0) shard_->CancelPull(number);
}

void PullReactor::Answer(const absl::StatusOr<Shard::PullResult>& result) {
  if (!result.ok()) return Finish(ToGrpcStatus(result.status()));
  PullReply head;
  head.set_clock(result->clock);
  head.set_verdict(result->verdict);
  std::vector<WireChunk> chunks;
  chunks.reserve(result->chunks.size());
  for (const PulledChunk& c : result->chunks) chunks.push_back({c.chunk, c.version, c.data});
  *reply_ = EncodePullReply(head, chunks);
  Finish(grpc::Status::OK);
}

}  // namespace syncline
