#ifndef SYNCLINE_WORKER_ALLREDUCE_COLLECTIVE_H_
#define SYNCLINE_WORKER_ALLREDUCE_COLLECTIVE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "proto/team.pb.h"
#include "worker/team/mailbox.h"
#include "worker/team/team.h"

namespace syncline {

// Sums, and copies, among the processes of a team, each of which has a segment of its own.
//
// Long vectors go round a ring (Patarasuk and Yuan 2009), which sends no byte more than it must; short ones by
// recursive halving and doubling (Thakur et al. 2005), in fewer messages, where the processes are a power of two. Both
// add in an order that depends on the places alone, so a sum is the same in every run. Messages are cut, so that
// one is added while the next one is on its way.
//
// Used by one thread. The memory is only the caller's again when a call has returned.
class Collective {
 public:
  // Floats in one piece of memory.
  struct Run {
    float* data = nullptr;
    size_t floats = 0;
  };
  using Segments = std::vector<std::vector<Run>>;  // by process, as `places` has them

  // `places`: of all processes, ascending; `me`: which of them this one is.
  Collective(Team* team, const TeamAttempt& attempt, std::vector<uint32_t> places, size_t me)
      : team_(team), attempt_(attempt), places_(std::move(places)), me_(me) {}
  // Waits until what was sent has arrived, or its receiver has gone.
  ~Collective();

  // Afterwards this process's segment is the sum of all processes'; the others are undefined. ABORTED if somebody
  // of the team came or went.
  absl::Status ReduceScatter(const Segments& segments);
  // Afterwards every segment is that of its process. Errors as above.
  absl::Status AllGather(const Segments& segments);

  // To the other processes, so far.
  uint64_t sent_bytes() const { return sent_bytes_; }

 private:
  // Messages of some segments, first to last.
  using Messages = std::vector<std::vector<Run>>;

  bool Halves(const Segments& segments) const;
  static Messages Cut(const Segments& segments, size_t begin, size_t end);
  void Send(TeamMessage::Kind kind, size_t to, uint32_t part, const std::vector<Run>& message);
  // Adds what has come to where it belongs, or puts it there.
  absl::Status Receive(TeamMessage::Kind kind, size_t from, uint32_t part, const std::vector<Run>& to);
  absl::Status GoRound(TeamMessage::Kind kind, const Segments& segments, size_t first);
  absl::Status Exchange(TeamMessage::Kind kind, size_t with, size_t round, const Messages& out,
                        const Messages& in);
  void AwaitSent();

  Team* const team_;
  const TeamAttempt attempt_;
  const std::vector<uint32_t> places_;
  const size_t me_;
  uint64_t sent_bytes_ = 0;
  std::vector<std::shared_ptr<Delivery>> sent_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_ALLREDUCE_COLLECTIVE_H_
