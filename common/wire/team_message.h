#ifndef SYNCLINE_COMMON_WIRE_TEAM_MESSAGE_H_
#define SYNCLINE_COMMON_WIRE_TEAM_MESSAGE_H_

#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tensor/fragments.h"
#include "grpcpp/support/byte_buffer.h"
#include "proto/team.pb.h"

namespace syncline {

// A TeamMessage as it goes over the network: its `data`, the floats of an activation or gradient, or what they were
// coded as, is looked at where it lies, and left where the network put it.

// `head` without data. The memory of `data` must stay until the call has ended.
grpc::ByteBuffer EncodeTeamMessage(const TeamMessage& head, const Fragments& data);

struct DecodedTeamMessage {
  TeamMessage head;  // without data
  Fragments data;    // keeps the message's bytes
  // Null, or what says whether the sender has left `data` alone up to now: see CheckIntact.
  std::function<bool()> intact;

  // Once data has been read: ABORTED if that does not count, as the team has gone on without this process.
  absl::Status CheckIntact() const {
    if (intact == nullptr || intact()) return absl::OkStatus();
    return absl::AbortedError("what another process of the team sent has changed while it was read");
  }
};
// INVALID_ARGUMENT, saying where, for bytes that are no such message.
absl::StatusOr<DecodedTeamMessage> DecodeTeamMessage(const grpc::ByteBuffer& buffer);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_WIRE_TEAM_MESSAGE_H_
