#ifndef SYNCLINE_WORKER_TEAM_LENT_MESSAGE_H_
#define SYNCLINE_WORKER_TEAM_LENT_MESSAGE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/memory/local_frame.h"
#include "common/memory/worker_link.h"
#include "common/wire/team_message.h"

namespace syncline {

// The message that a process of this host has sent by `frame`, its data where it lies. The frame is
// answered when the last copy of the data goes; until then the sender leaves the memory alone, or
// says that it does not (intact). INVALID_ARGUMENT for what is no message, or names memory that was
// not lent; the frame is not answered then.
absl::StatusOr<DecodedTeamMessage> ReadLentMessage(const std::shared_ptr<WorkerLink>& link, const LocalFrame& frame,
                                                   absl::string_view body);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TEAM_LENT_MESSAGE_H_
