#include "worker/team/lent_message.h"

#include <string>
#include <utility>

#include "common/status/status_macros.h"
#include "common/tensor/fragments.h"
#include "proto/team.pb.h"
#include "worker/team/revocation.h"

namespace syncline {
namespace {

// See Revocation: the first block that is lent begins with it.
constexpr uint64_t kWordSegment = 1;

// Somebody looks at a message's data.
class Reading {
 public:
  Reading(std::shared_ptr<WorkerLink> link, const LocalFrame& frame, std::string copied)
      : link_(std::move(link)), frame_(frame), copied_(std::move(copied)) {}
  ~Reading() {
    if (answers_) link_->Reply(frame_, absl::OkStatus(), "");
  }
  void Begin() { answers_ = true; }
  const std::string& copied() const { return copied_; }

 private:
  const std::shared_ptr<WorkerLink> link_;
  const LocalFrame frame_;
  const std::string copied_;  // data that came with the frame
  bool answers_ = false;
};

}  // namespace

absl::StatusOr<DecodedTeamMessage> ReadLentMessage(const std::shared_ptr<WorkerLink>& link, const LocalFrame& frame,
                                                   absl::string_view body) {
  TeamMessage head;
  const bool parsed = head.ParseFromArray(body.data(), static_cast<int>(body.size()));
  const LentData lent = std::move(*head.mutable_lent());
  if (!parsed || lent.offsets_size() != lent.bytes_size()) return absl::InvalidArgumentError("the frame is no message");
  SYNCLINE_ASSIGN_OR_RETURN(const Fragments word, link->Read(kWordSegment, 0, Revocation::kBytes));
  const auto reading = std::make_shared<Reading>(link, frame, std::move(*head.mutable_data()));
  head.clear_lent();
  head.clear_data();
  DecodedTeamMessage message = {std::move(head),
                                Fragments::Of(reading->copied().data(), reading->copied().size(), reading), nullptr};
  for (int i = 0; i < lent.offsets_size(); ++i) {
    SYNCLINE_ASSIGN_OR_RETURN(const Fragments piece, link->Read(lent.segment(), lent.offsets(i), lent.bytes(i)));
    for (const Fragments::Piece& p : piece.pieces()) message.data.Append(p.data, p.size);
  }
  const bool coded = message.head.kind() == TeamMessage::REDUCE;
  if (!coded && message.data.size() % sizeof(float) != 0) {
    return absl::InvalidArgumentError("data: no whole number of float32");
  }
  if (lent.offsets_size() > 0) {
    message.intact = [word] { return !Revocation(word.pieces()[0].data).IsSet(); };
  }
  reading->Begin();
  return message;
}

}  // namespace syncline
