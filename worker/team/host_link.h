#ifndef SYNCLINE_WORKER_TEAM_HOST_LINK_H_
#define SYNCLINE_WORKER_TEAM_HOST_LINK_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/memory/local_link.h"
#include "common/memory/shared_blocks.h"
#include "common/tensor/fragments.h"
#include "grpcpp/channel.h"
#include "proto/team.pb.h"

namespace syncline {

// The way to a process of a team on this host: a message goes over a local socket and its data
// nowhere at all, as the receiver reads it where it lies, in a block that was lent. Thread-safe.
class HostLink {
 public:
  using Done = std::function<void(absl::Status)>;

  // `channel`: to the other one's server. `memory`, which outlives the link, is what is lent. Null,
  // without an error, when the other one is on another host. Blocks for some round trips.
  static absl::StatusOr<std::unique_ptr<HostLink>> Attach(const std::shared_ptr<grpc::Channel>& channel,
                                                          const SharedBlocks* memory);
  ~HostLink() { Close(); }

  // False, and nothing happens: the data lies elsewhere and is not short, the other one is behind
  // with reading, or the link has ended. Otherwise `done` comes once, on the link's thread: when
  // the data was read or is not wanted, or with an error when that cannot be known any more. What
  // the other one reads from then on does not count.
  bool Send(TeamMessage head, const Fragments& data, Done done);
  // Ends what is under way.
  void Close();

 private:
  HostLink(std::shared_ptr<SharedMemory> word, const SharedBlocks* memory) : word_(std::move(word)), memory_(memory) {}
  // Lends what has been allocated meanwhile.
  void LendNew();

  const std::shared_ptr<SharedMemory> word_;  // see Revocation
  const SharedBlocks* const memory_;
  std::unique_ptr<LocalLink> link_;
  absl::Mutex mu_;
  std::vector<std::weak_ptr<const SharedMemory>> lent_ ABSL_GUARDED_BY(mu_);
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TEAM_HOST_LINK_H_
