#ifndef SYNCLINE_WORKER_ALLREDUCE_COLLECTIVE_H_
#define SYNCLINE_WORKER_ALLREDUCE_COLLECTIVE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/team.pb.h"
#include "worker/allreduce/collective_plan.h"
#include "worker/team/mailbox.h"
#include "worker/team/team.h"

namespace syncline {

// Sums, and copies, among the processes of a team, each of which has a segment of its own; how, collective_plan.h says.
// On one host a process adds straight out of the others' memory, if theirs is Team::memory().
//
// Used by one thread. All processes begin the same sums in the same order.
class Collective {
 public:
  using Run = FloatRun;
  using Segments = FloatSegments;  // by process, as `places` has them

  // `places`: of all processes, in the same order everywhere; `me`: which of them this one is. `seed`: of how int8
  // rounds, the same for the same step.
  Collective(Team* team, const TeamAttempt& attempt, std::vector<uint32_t> places, size_t me, uint64_t seed = 0)
      : team_(team), attempt_(attempt), places_(std::move(places)), me_(me), seed_(seed) {}
  // Waits until what was sent has arrived, or its receiver has gone.
  ~Collective() { AwaitSent(); }

  // Afterwards this process's segment is the sum of all processes'; the others are undefined. ABORTED if somebody
  // of the team came or went. The memory is only the caller's again when the call has returned.
  absl::Status ReduceScatter(const Segments& segments);
  // Afterwards every segment is that of its process. Likewise.
  absl::Status AllGather(const Segments& segments);

  // A sum under way, by a plan made before, which outlives it.
  struct Going {
    TeamMessage::Kind kind = TeamMessage::KIND_UNSPECIFIED;
    const CollectivePlan* plan = nullptr;
    uint64_t number = 0;
    size_t next = 0;  // action

    bool ended() const { return next == plan->size(); }
  };
  // `kind`: REDUCE or GATHER. Sends what it can.
  absl::StatusOr<Going> Begin(TeamMessage::Kind kind, const CollectivePlan& plan);
  // Goes on until it would have to wait; with `wait`, for the second time. The memory stays in use until AwaitSent.
  absl::Status Advance(Going* going, bool wait);
  // To the end.
  absl::Status Finish(Going* going);
  // Until all that was sent has arrived, or its receiver has gone.
  void AwaitSent();

  // To the other processes, so far.
  uint64_t sent_bytes() const { return sent_bytes_; }

 private:
  absl::Status Complete(TeamMessage::Kind kind, const CollectivePlan& plan);
  void Send(TeamMessage::Kind kind, uint64_t part, const CollectiveAction& action);
  // To where the action says.
  void Encode(uint64_t part, const CollectiveAction& action) const;
  // False: it is not there yet.
  absl::StatusOr<bool> Receive(TeamMessage::Kind kind, uint64_t part, const CollectiveAction& action, bool wait);
  absl::Status Take(const DecodedTeamMessage& message, const CollectiveAction& action) const;

  Team* const team_;
  const TeamAttempt attempt_;
  const std::vector<uint32_t> places_;
  const size_t me_;
  const uint64_t seed_;
  std::map<TeamMessage::Kind, uint64_t> begun_;
  uint64_t sent_bytes_ = 0;
  std::vector<std::shared_ptr<Delivery>> sent_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_ALLREDUCE_COLLECTIVE_H_
