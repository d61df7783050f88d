// What of TensorCalls has to do with chunks that move: taking them, and who comes before they do.

#include <utility>
#include <vector>

#include "common/failpoint/failpoint.h"
#include "common/status/status_macros.h"
#include "common/wire/message.h"
#include "server/service/hand_over_message.h"
#include "server/service/tensor_calls.h"

namespace syncline {

absl::StatusOr<grpc::ByteBuffer> TensorCalls::HandOver(const grpc::ByteBuffer& request) {
  SYNCLINE_ASSIGN_OR_RETURN(const HandedOver handed, DecodeChunks(request));
  SYNCLINE_ASSIGN_OR_RETURN(const auto shard, host_->shard());
  HandOverReply reply;
  if (handed.copies) {
    SYNCLINE_ASSIGN_OR_RETURN(const std::vector<uint32_t> wanting, shard->Keep(handed.map_epoch, handed.chunks));
    reply.mutable_wanting()->Assign(wanting.begin(), wanting.end());
  } else {
    SYNCLINE_RETURN_IF_ERROR(shard->Arrive(handed.map_epoch, handed.chunks));
  }
  Failpoint(handed.copies ? "copies.kept" : "chunks.arrived");
  return EncodeMessage(reply);
}

// The request lies in memory that another shard lends; it is not looked at any more when this returns.
absl::StatusOr<grpc::ByteBuffer> TensorCalls::HandOverLent(absl::string_view body, WorkerLink* link) {
  SYNCLINE_RETURN_IF_ERROR(link->CheckSender(ShardSender()));
  LentMessage lent;
  if (!lent.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return absl::InvalidArgumentError("the message is no LentMessage");
  }
  SYNCLINE_ASSIGN_OR_RETURN(const Fragments bytes, link->Read(lent.segment(), lent.offset(), lent.bytes()));
  if (bytes.empty()) return absl::InvalidArgumentError("bytes: the message is empty");
  const Fragments::Piece& all = bytes.pieces()[0];
  const grpc::Slice slice(all.data, all.size, grpc::Slice::STATIC_SLICE);
  return HandOver(grpc::ByteBuffer(&slice, 1));
}

// What was refused, unless it came too early for chunks that are on their way: then it is served `again` when they are
// here, as its sender would wait longer to ask once more.
void TensorCalls::WhenArrived(const std::shared_ptr<Shard>& shard, const absl::Status& refused, const Done& done,
                              std::function<void()> again) {
  const auto then = [done, again = std::move(again)](const absl::Status& arrived) {
    if (!arrived.ok()) return done(arrived);
    again();
  };
  if (!absl::IsUnavailable(refused) || shard == nullptr || !shard->WhenArrived(then)) done(refused);
}

}  // namespace syncline
