#ifndef SYNCLINE_SERVER_SHARD_REPLICATION_H_
#define SYNCLINE_SERVER_SHARD_REPLICATION_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "server/shard/shard_snapshot.h"

namespace syncline {

// Which copies of a shard's chunks, on other shards, have yet to hear of which updates, and what to send
// next. A copy is always sent as the chunk is by then, whole or what changed since it was last heard of, so updates
// that come faster than they can be sent cost one message together. Of a chunk at most one message is under way to a
// place. Knows no tensors and no network. Thread-safe.
class Replication {
 public:
  // Chunks by the address of the shard that keeps copies of them.
  using Copies = std::map<std::string, std::set<uint32_t>>;
  // Counts updates of any chunk.
  using Moment = uint64_t;
  struct Item {
    uint32_t chunk = 0;
    Moment since = 0;               // the first update that the copy has not heard of
    std::optional<CopyState> held;  // what it was like when it was last heard of
    std::optional<CopyState> sent;  // what it is sent as; for whoever sends it to fill in
  };
  struct Message {
    std::string to;
    std::vector<Item> chunks;
  };
  // About how much of a message a chunk takes that is sent whole or, where `whole` is false, may be sent as a change.
  using Share = std::function<double(uint32_t chunk, bool whole)>;

  explicit Replication(Share share = nullptr) : share_(std::move(share)) {}

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

  // What to send now, if anything: call it again until there is no more. Then Sent, once for each; chunks that are
  // `wanting` have not arrived and are to come whole.
  std::optional<Message> Next();
  void Sent(const Message& message, bool arrived, absl::Span<const uint32_t> wanting = {});

  // Copies that were never made so far, and those that have yet to hear of something.
  size_t unmade() const;
  size_t behind() const;

 private:
  struct Copy {
    // The first update that was not sent, and the first one of those under way; 0: none.
    Moment unsent = 0;
    Moment under_way = 0;
    bool made = false;
    std::optional<CopyState> held;
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

  const Share share_;
  mutable absl::Mutex mu_;
  Moment now_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, Place> places_ ABSL_GUARDED_BY(mu_);
  std::multiset<Moment> outstanding_ ABSL_GUARDED_BY(mu_);  // of all copies, sent or not
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SHARD_REPLICATION_H_
