#include "server/chunk_lane.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/call.h"
#include "common/rpc/call_raw.h"
#include "common/rpc/channel.h"
#include "common/status/status_macros.h"
#include "common/time/steady_notification.h"
#include "common/time/steady_now.h"
#include "common/wire/message.h"
#include "proto/parameter_server.grpc.pb.h"
#include "server/service/hand_over_message.h"

namespace syncline {
namespace {

// Little more than most messages: each page of a new block takes longer than copying it a few times.
constexpr size_t kBlockBytes = size_t{5} << 18;
constexpr absl::Duration kAttachTimeout = absl::Seconds(2);
// From an attempt to make a link, whatever came of it, to the next.
constexpr absl::Duration kAttachPause = absl::Seconds(5);

// What a call over the link came to. Outlives a caller who does not wait for it.
struct Answer {
  SteadyNotification there;
  absl::StatusOr<std::string> reply;
};

void CopyInto(const grpc::ByteBuffer& message, char* to) {
  std::vector<grpc::Slice> slices;
  message.Dump(&slices).ok();
  for (const grpc::Slice& slice : slices) {
    std::memcpy(to, slice.begin(), slice.size());
    to += slice.size();
  }
}

}  // namespace

void ChunkLane::Attach(size_t bytes) {
  if (link_ != nullptr && !link_->ended() && block_->size() >= bytes) return;
  const bool grows = link_ != nullptr && !link_->ended();
  link_.reset();
  block_.reset();
  if (!options_.shared_memory || (!grows && SteadyNow() < attach_after_)) return;
  attach_after_ = SteadyNow() + kAttachPause;
  auto block = SharedMemory::Create(std::max(kBlockBytes, bytes + bytes / 4));
  if (!block.ok()) return;
  // Why there is no link does not matter: the network is there.
  const auto ask = [this](const AttachMemoryRequest& request) {
    return syncline::Call<AttachMemoryReply>(*ParameterServer::NewStub(channel_),
                                             &ParameterServer::Stub::AttachMemory, request, kAttachTimeout);
  };
  auto link = LocalLink::Attach(ask, ShardSender(), {*block}, {});
  if (!link.ok() || *link == nullptr) return;
  link_ = *std::move(link);
  block_ = *std::move(block);
}

absl::StatusOr<HandOverReply> ChunkLane::Call(const grpc::ByteBuffer& message, absl::Duration timeout) {
  if (channel_ == nullptr) {
    SYNCLINE_ASSIGN_OR_RETURN(channel_, MakeChannel(address_, options_.security));
  }
  Attach(message.Length());
  if (link_ != nullptr) return CallLinked(message, timeout);
  SYNCLINE_ASSIGN_OR_RETURN(const grpc::ByteBuffer reply,
                            CallRaw(channel_, "/syncline.ParameterServer/HandOver", message, timeout));
  return DecodeMessage<HandOverReply>(reply);
}

absl::StatusOr<HandOverReply> ChunkLane::CallLinked(const grpc::ByteBuffer& message, absl::Duration timeout) {
  LentMessage lent;
  lent.set_bytes(message.Length());
  const LocalLink::Chunk whole{block_->data(), block_->size()};
  const auto places = link_->Find({&whole, 1});
  if (!places) return absl::InternalError("the lent block is not known to its own link");
  lent.set_segment(places->segment);
  CopyInto(message, block_->data());
  const auto answer = std::make_shared<Answer>();
  const bool sent = link_->Call(LocalFrame::kHandOver, lent.SerializeAsString(), [answer](auto reply) {
    answer->reply = std::move(reply);
    answer->there.Notify();
  });
  if (sent && answer->there.WaitForNotificationWithTimeout(timeout)) {
    SYNCLINE_RETURN_IF_ERROR(answer->reply.status());
    HandOverReply reply;
    if (reply.ParseFromString(*answer->reply)) return reply;
    return absl::InternalError("the answer of a shard on this host is no HandOverReply");
  }
  // The other shard may look at the block still: it is not written to again.
  link_.reset();
  block_.reset();
  return absl::DeadlineExceededError(absl::StrCat("no answer from ", address_, " on this host"));
}

}  // namespace syncline
