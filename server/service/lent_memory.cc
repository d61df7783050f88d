#include "server/service/lent_memory.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

constexpr size_t kTokenBytes = 16;
// Offers nobody has taken up; older ones are forgotten.
constexpr size_t kMaxOffers = 1024;
// A process of the same user that connects and then says nothing keeps others waiting this long.
constexpr absl::Duration kPatience = absl::Seconds(2);

// Tells the worker its segment's number; 0 refuses it.
absl::Status SendNumber(const LocalSocket& connection, uint64_t number) {
  return connection.Send({reinterpret_cast<const char*>(&number), sizeof(number)});
}

}  // namespace

LentMemory::~LentMemory() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  if (write(wake_, &one, sizeof(one)) == sizeof(one)) thread_.join();
  close(wake_);
}

AttachMemoryReply LentMemory::Offer(const AttachMemoryRequest& request) {
  AttachMemoryReply reply;
  const std::string here = HostIdentity();
  if (here.empty() || request.host() != here) return reply;
  absl::MutexLock lock(&mu_);
  if (name_.empty() && !Listen().ok()) return reply;
  if (offers_.size() == kMaxOffers) offers_.pop_front();
  offers_.push_back({RandomToken(kTokenBytes), request.sender()});
  reply.set_socket(name_);
  reply.set_token(offers_.back().token);
  return reply;
}

absl::Status LentMemory::Listen() {
  const std::string name =
      absl::StrCat("syncline-ps-", getpid(), "-", absl::BytesToHexString(RandomToken(8)));
  SYNCLINE_ASSIGN_OR_RETURN(listener_, LocalSocket::Listen(name));
  wake_ = eventfd(0, EFD_CLOEXEC);
  if (wake_ < 0) return absl::ResourceExhaustedError("no descriptors left");
  thread_ = std::thread([this] { Serve(); });
  name_ = name;
  return absl::OkStatus();
}

void LentMemory::Serve() {
  while (true) {
    std::vector<pollfd> waits = {{wake_, POLLIN, 0}, {listener_.fd(), POLLIN, 0}};
    {
      absl::MutexLock lock(&mu_);
      for (const auto& [number, lent] : lent_) waits.push_back({lent.connection.fd(), POLLIN, 0});
    }
    if (poll(waits.data(), waits.size(), -1) < 0) continue;
    if (waits[0].revents != 0) return;
    if (waits[1].revents != 0) Admit();
    DropGone();
  }
}

void LentMemory::Admit() {
  auto connection = listener_.Accept(kPatience);
  if (!connection.ok()) return;
  auto segment = Receive(*connection);
  if (!segment.ok()) {
    SendNumber(*connection, 0).IgnoreError();
    return;
  }
  // The worker may name it as soon as it knows the number.
  absl::MutexLock lock(&mu_);
  const auto lent = lent_.emplace(++last_, Lent{*std::move(connection), *std::move(segment)}).first;
  if (!SendNumber(lent->second.connection, lent->first).ok()) lent_.erase(lent);
}

absl::StatusOr<std::shared_ptr<LentSegment>> LentMemory::Receive(const LocalSocket& connection) {
  SYNCLINE_RETURN_IF_ERROR(connection.CheckPeer());
  int descriptor = -1;
  SYNCLINE_ASSIGN_OR_RETURN(const std::string token, connection.Receive(kTokenBytes, &descriptor));
  SYNCLINE_ASSIGN_OR_RETURN(auto memory, SharedMemory::Adopt(descriptor));
  absl::MutexLock lock(&mu_);
  const auto offer = std::find_if(offers_.begin(), offers_.end(),
                                  [&](const Offered& o) { return o.token == token; });
  if (offer == offers_.end()) return absl::PermissionDeniedError("no such token");
  auto segment = std::make_shared<LentSegment>(std::move(memory), offer->sender);
  offers_.erase(offer);
  return segment;
}

void LentMemory::DropGone() {
  absl::MutexLock lock(&mu_);
  for (auto it = lent_.begin(); it != lent_.end();) {
    it = it->second.connection.PeerGone() ? lent_.erase(it) : std::next(it);
  }
}

absl::StatusOr<std::shared_ptr<LentSegment>> LentMemory::Find(uint64_t segment,
                                                              const Sender& sender) const {
  std::shared_ptr<LentSegment> found;
  {
    absl::MutexLock lock(&mu_);
    const auto it = lent_.find(segment);
    if (it != lent_.end()) found = it->second.segment;
  }
  if (found == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("segment: ", segment, " is not lent to this shard: attach it again"));
  }
  SYNCLINE_RETURN_IF_ERROR(found->CheckLender(sender));
  return found;
}

size_t LentMemory::segments() const {
  absl::MutexLock lock(&mu_);
  return lent_.size();
}

}  // namespace syncline
