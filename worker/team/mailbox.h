#ifndef SYNCLINE_WORKER_TEAM_MAILBOX_H_
#define SYNCLINE_WORKER_TEAM_MAILBOX_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/time/steady_condition.h"
#include "common/wire/team_message.h"

namespace syncline {

// One try of one step.
struct TeamAttempt {
  uint64_t generation = 0;  // of the team
  uint64_t number = 0;

  bool operator<(const TeamAttempt& other) const {
    return std::tie(generation, number) < std::tie(other.generation, other.number);
  }
};
inline TeamAttempt AttemptOf(const TeamMessage& message) { return {message.generation(), message.attempt()}; }
// The head of a message, which belongs to an attempt.
inline TeamMessage MessageOf(TeamMessage::Kind kind, const TeamAttempt& attempt, uint64_t part = 0) {
  TeamMessage head;
  head.set_kind(kind);
  head.set_generation(attempt.generation);
  head.set_attempt(attempt.number);
  head.set_part(part);
  return head;
}

// What has come from the other processes of a team, until somebody takes it. A message that is said
// again is dropped, and so is one of an attempt that is past, or of a team that is: its sender may
// be waiting for its memory. Thread-safe; one thread at a time takes.
class Mailbox {
 public:
  // A message has come.
  void Put(DecodedTeamMessage message);

  // This process leads the team as it is: it obeys nobody who did before.
  void DropOrders(uint64_t generation);

  // From here on only messages of `attempt` and later ones count.
  void BeginAttempt(const TeamAttempt& attempt);

  // The message of this kind for the present attempt, from `place`, of its part `part`. Waits;
  // ABORTED once the team is another one than the attempt's, the leader has ordered another
  // attempt, or one of the others says that this one has failed: FAILED_PRECONDITION if that was
  // because the member is none any more. When its data has been read, CheckIntact says whether that
  // counts.
  absl::StatusOr<DecodedTeamMessage> Take(TeamMessage::Kind kind, uint32_t place, uint64_t part);
  // The same without waiting: none if it is not there yet.
  absl::StatusOr<std::optional<DecodedTeamMessage>> TakeIfThere(TeamMessage::Kind kind, uint32_t place, uint64_t part);
  // OK while the present attempt is on; the errors of Take otherwise. For whoever waits for something else.
  absl::Status StillOn();
  // The leader's next STEP, EVALUATE or END; one that has been overtaken by a later one does not count. Waits up to
  // `patience`; none if there is none by then.
  std::optional<TeamMessage> TakeOrder(absl::Duration patience);

  // Who is in the team has changed.
  void SetGeneration(uint64_t generation);

 private:
  using Key = std::tuple<TeamMessage::Kind, uint32_t, uint64_t>;  // kind, place, part
  using Messages = std::map<TeamAttempt, std::map<Key, DecodedTeamMessage>>;
  // Which messages of a process have come: all below `next`, and those.
  struct Seen {
    uint64_t next = 1;
    std::set<uint64_t> numbers;
  };

  bool New(uint64_t life, uint64_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Going() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool There(const Key& key) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  DecodedTeamMessage Remove(const Key& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Moves the messages before `attempt` to where they can be let go without the lock.
  Messages Before(const TeamAttempt& attempt) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  absl::Mutex mu_;
  uint64_t generation_ ABSL_GUARDED_BY(mu_) = 0;
  TeamAttempt attempt_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, Seen> seen_ ABSL_GUARDED_BY(mu_);  // by life
  std::pair<TeamAttempt, absl::Status> failed_ ABSL_GUARDED_BY(mu_);  // elsewhere
  Messages messages_ ABSL_GUARDED_BY(mu_);
  std::map<TeamAttempt, TeamMessage> orders_ ABSL_GUARDED_BY(mu_);
  TeamAttempt ordered_last_ ABSL_GUARDED_BY(mu_);  // of the order that was taken last
  SteadyCondition ordered_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TEAM_MAILBOX_H_
