#include "common/wire/team_message.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/wire/slice_cursor.h"
#include "common/wire/slices.h"

namespace syncline {
namespace {

constexpr size_t kMaxHeadBytes = 64 << 10;

}  // namespace

grpc::ByteBuffer EncodeTeamMessage(const TeamMessage& head, const Fragments& data) {
  std::string before = head.SerializeAsString();
  std::vector<grpc::Slice> slices;
  if (!data.empty()) {
    AppendTag(TeamMessage::kDataFieldNumber, SliceCursor::kBytes, &before);
    AppendVarint(data.size(), &before);
  }
  slices.emplace_back(before);
  for (const Fragments::Piece& piece : data.pieces()) slices.push_back(SliceOf(data, piece));
  return grpc::ByteBuffer(slices.data(), slices.size());
}

absl::StatusOr<DecodedTeamMessage> DecodeTeamMessage(const grpc::ByteBuffer& buffer) {
  DecodedTeamMessage message;
  std::string head;
  SYNCLINE_ASSIGN_OR_RETURN(SliceCursor cursor, SliceCursor::Of(buffer));
  while (cursor.position() < cursor.size()) {
    SYNCLINE_ASSIGN_OR_RETURN(const SliceCursor::Tag tag, cursor.ReadTag());
    if (tag.field == TeamMessage::kDataFieldNumber && tag.type == SliceCursor::kBytes) {
      SYNCLINE_ASSIGN_OR_RETURN(const size_t length, cursor.Length(cursor.size()));
      message.data = cursor.Take(length);
      continue;
    }
    AppendTag(static_cast<int>(tag.field), tag.type, &head);
    SYNCLINE_RETURN_IF_ERROR(cursor.SkipValue(tag.type, cursor.size(), &head));
    if (head.size() > kMaxHeadBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("message: fields other than data take over ", kMaxHeadBytes, " bytes"));
    }
  }
  if (!message.head.ParseFromString(head)) {
    return absl::InvalidArgumentError("message: kind, life or number cannot be read");
  }
  if (message.head.kind() != TeamMessage::REDUCE && message.data.size() % sizeof(float) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("data: ", message.data.size(),
                                                   " bytes are no whole number of float32 (4 bytes each)"));
  }
  return message;
}

}  // namespace syncline
