#ifndef SYNCLINE_SERVER_SHARD_REPLICATION_H_
#define SYNCLINE_SERVER_SHARD_REPLICATION_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"

namespace syncline {

// Which copies of a shard's chunks, on other shards, have yet to hear of which updates, and what to send
// next. A copy is always sent as the chunk is by then, so updates that come faster than they can be sent
// cost one message together. Of a chunk at most one message is under way to a place. Knows no tensors and
// no network. Thread-safe.
class Replication {
 public:
  // Chunks by the address of the shard that keeps copies of them.
  using Copies = std::map<std::string, std::set<uint32_t>>;
  // Counts updates of any chunk.
  using Moment = uint64_t;
  struct Message {
    std::string to;
    std::vector<std::pair<uint32_t, Moment>> chunks;  // and the first update that `to` has not heard of
  };

  // `message_chunks`: how many go in one message.
  explicit Replication(size_t message_chunks = 4) : message_chunks_(message_chunks) {}

  // Who keeps copies from now on. A new one has yet to hear of everything, unless it is `made` already.
  void SetCopies(const Copies& copies, bool made);
  // Whether anybody keeps copies at all.
  bool active() const;

  // The chunks were updated.
  void Changed(absl::Span<const uint32_t> chunks);
  Moment now() const;
  // Whether every copy has heard of all updates up to `moment`; of all so far.
  bool Safe(Moment moment) const;
  bool Safe() const { return Safe(~Moment{0}); }

  // What to send now, if anything: call it again until there is no more. Then Sent, once for each.
  std::optional<Message> Next();
  void Sent(const Message& message, bool arrived);

  // Copies that were never made so far, and those that have yet to hear of something.
  size_t unmade() const;
  size_t behind() const;

 private:
  struct Copy {
    // The first update that was not sent, and the first one of those under way; 0: none.
    Moment unsent = 0;
    Moment under_way = 0;
    bool made = false;
  };
  struct Place {
    std::map<uint32_t, Copy> copies;
    std::set<std::pair<Moment, uint32_t>> unsent;  // and not under way, by age
    int messages = 0;                              // under way
  };

  void Change(Place* place, uint32_t chunk, Copy* copy, Moment since)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Forget(Place* place, uint32_t chunk) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Settle(Moment moment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const size_t message_chunks_;
  mutable absl::Mutex mu_;
  Moment now_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, Place> places_ ABSL_GUARDED_BY(mu_);
  std::multiset<Moment> outstanding_ ABSL_GUARDED_BY(mu_);  // of all copies, sent or not
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SHARD_REPLICATION_H_
