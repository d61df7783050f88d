#include "server/service/request_checks.h"

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/wire/protocol_version.h"

namespace syncline {

absl::Status CheckProtocol(uint32_t protocol) {
  if (protocol == kProtocolVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("sender.protocol is ", protocol, ", this member speaks ", kProtocolVersion,
                   ": run the same version of Syncline everywhere"));
}

absl::Status CheckSender(const Sender& sender) {
  SYNCLINE_RETURN_IF_ERROR(CheckProtocol(sender.protocol()));
  if (sender.incarnation() == 0) {
    return absl::InvalidArgumentError(
        "sender.incarnation is 0: it counts from 1, as JoinWorker gave it");
  }
  return absl::OkStatus();
}

}  // namespace syncline
