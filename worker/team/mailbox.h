#ifndef SYNCLINE_WORKER_TEAM_MAILBOX_H_
#define SYNCLINE_WORKER_TEAM_MAILBOX_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
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
inline TeamAttempt AttemptOf(const TeamMessage& message) {
  return {message.generation(), message.attempt()};
}

// What has come from the other processes of a team, until somebody takes it. A message that is said again is
// dropped, and so is one of an attempt that is past. Thread-safe; one thread at a time takes.
class Mailbox {
 public:
  // A message has come.
  void Put(DecodedTeamMessage message);

  // From here on only messages of `attempt` and later ones count.
  void BeginAttempt(const TeamAttempt& attempt);

  // The message of this kind for the present attempt, from `place`, of its part `part`. Waits; ABORTED once
  // the team is another one than the attempt's.
  absl::StatusOr<DecodedTeamMessage> Take(TeamMessage::Kind kind, uint32_t place, uint32_t part);
  // The leader's next STEP, EVALUATE or END. Waits up to `patience`; none if there is none by then.
  std::optional<TeamMessage> TakeOrder(absl::Duration patience);

  // Who is in the team has changed.
  void SetGeneration(uint64_t generation);

 private:
  using Key = std::tuple<TeamMessage::Kind, uint32_t, uint32_t>;  // kind, place, part
  // Which messages of a process have come: all below `next`, and those.
  struct Seen {
    uint64_t next = 1;
    std::set<uint64_t> numbers;
  };

  bool New(uint64_t life, uint64_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  absl::Mutex mu_;
  uint64_t generation_ ABSL_GUARDED_BY(mu_) = 0;
  TeamAttempt attempt_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, Seen> seen_ ABSL_GUARDED_BY(mu_);  // by life
  std::map<TeamAttempt, std::map<Key, DecodedTeamMessage>> messages_ ABSL_GUARDED_BY(mu_);
  std::deque<TeamMessage> orders_ ABSL_GUARDED_BY(mu_);
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TEAM_MAILBOX_H_
