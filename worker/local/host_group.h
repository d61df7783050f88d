#ifndef SYNCLINE_WORKER_LOCAL_HOST_GROUP_H_
#define SYNCLINE_WORKER_LOCAL_HOST_GROUP_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/memory/local_socket.h"
#include "worker/model/batch_result.h"

namespace syncline {

// The worker processes of one host, user and job: the election of the one that leads, what they say to
// each other, and how a step is cut among them. Functions of their arguments; thread-safe.

// The name of the local socket that the leader of a group holds. `part` tells apart groups on one
// host that would be one otherwise; usually empty.
std::string HostGroupName(absl::string_view job, absl::string_view coordinator,
                          absl::string_view part);

struct HostPlace {
  bool leads = false;
  // Of the leader: where it listens. Of a helper: its connection, whose peer was checked.
  LocalSocket socket;
};
// Whoever binds the name leads; the kernel frees it when that process ends, however it ends. Tries
// until one of both succeeds or `stop`: CANCELLED. PERMISSION_DENIED if another user holds the name.
absl::StatusOr<HostPlace> JoinHostGroup(const std::string& name,
                                        const std::function<bool()>& stop);

// Everything leader and helpers say, in the host's byte order; both are the same program.
struct HostMessage {
  enum Kind : uint32_t {
    // To a helper. kWelcome brings the descriptor of the weights, and rank and incarnation.
    kWelcome = 1,
    kStep = 2,   // clock, epoch, begin, count: compute this
    kReady = 3,  // clock, parameter: its weights are there
    kAbort = 4,  // clock: the step is not made now
    kEnd = 5,    // training is over
    // To the leader. kGradients brings a descriptor; from then on the helper takes part.
    kGradients = 6,
    kMade = 7,  // clock, parameter: its gradient lies in the helper's block
    kDone = 8,  // clock, result: of the part
  };
  uint32_t kind = 0;
  uint32_t parameter = 0;
  uint64_t clock = 0;
  uint64_t epoch = 0;
  uint64_t begin = 0;
  uint64_t count = 0;
  uint64_t rank = 0;
  uint64_t incarnation = 0;
  BatchResult result;
};
absl::Status Send(const LocalSocket& socket, const HostMessage& message, int descriptor = -1);
// Errors as of LocalSocket::Receive; INVALID_ARGUMENT for what is no message.
absl::StatusOr<HostMessage> Receive(const LocalSocket& socket, int* descriptor = nullptr);

// Samples of a step, counted from its first.
struct HostPart {
  uint64_t first = 0;
  uint64_t count = 0;
};
// Cuts `samples` evenly into at least `processes` parts, none of more than `batch_size` or of none.
// More parts than processes come up when one was lost after the step was planned: the parts stay
// those that were planned, so that the sum is the same to the bit.
std::vector<HostPart> CutStep(uint64_t samples, uint64_t batch_size, size_t processes);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_LOCAL_HOST_GROUP_H_
