#include "common/memory/local_plane.h"

#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

constexpr size_t kTokenBytes = 16;
// Offers nobody has taken up; older ones are forgotten.
constexpr size_t kMaxOffers = 1024;
// A process that connects must say who it is within this time.
constexpr absl::Duration kPatience = absl::Seconds(5);

// Takes a block a worker lends, and answers.
void TakeBlock(WorkerLink* link, const LocalFrame& frame, int descriptor) {
  auto block = SharedMemory::Adopt(descriptor);
  uint64_t number = 0;
  if (block.ok()) number = link->AddBlock(*std::move(block));
  link->Reply(frame, block.status(),
              {reinterpret_cast<const char*>(&number), sizeof(number)});
}

}  // namespace

AttachMemoryReply LocalPlane::Offer(const AttachMemoryRequest& request) {
  AttachMemoryReply reply;
  const std::string here = HostIdentity();
  if (here.empty() || request.host() != here) return reply;
  absl::MutexLock lock(&mu_);
  if (closing_ || (name_.empty() && !Listen().ok())) return reply;
  if (offers_.size() == kMaxOffers) offers_.pop_front();
  offers_.push_back({RandomToken(kTokenBytes), request.sender()});
  reply.set_socket(name_);
  reply.set_token(offers_.back().token);
  return reply;
}

absl::Status LocalPlane::Listen() {
  const std::string name =
      absl::StrCat("syncline-", getpid(), "-", absl::BytesToHexString(RandomToken(8)));
  SYNCLINE_ASSIGN_OR_RETURN(listener_, LocalSocket::Listen(name));
  accepting_ = std::thread([this] { Accept(); });
  name_ = name;
  return absl::OkStatus();
}

void LocalPlane::Accept() {
  while (true) {
    auto socket = listener_.Accept();
    absl::MutexLock lock(&mu_);
    if (closing_) return;
    Sweep();
    if (!socket.ok()) {
      // No descriptors are left, say: it will not be better at once.
      mu_.AwaitWithTimeout(absl::Condition(&closing_), absl::Milliseconds(100));
      continue;
    }
    if (!socket->CheckPeer().ok()) continue;
    Served* const served = &served_.emplace_back();
    served->thread = std::thread([this, served, s = std::make_shared<LocalSocket>(
                                                    *std::move(socket))]() mutable {
      ServeConnection(std::move(*s), served);
    });
  }
}

void LocalPlane::Sweep() {
  for (auto it = served_.begin(); it != served_.end();) {
    if (!it->ended) {
      ++it;
      continue;
    }
    it->thread.join();
    it = served_.erase(it);
  }
}

void LocalPlane::ServeConnection(LocalSocket socket, Served* served) {
  auto link = Greet(std::move(socket));
  bool serving = false;
  if (link.ok()) {
    absl::MutexLock lock(&mu_);
    serving = !closing_;
    if (serving) served->link = *link;
  }
  if (serving) {
    ServeCalls(*link);
    (*link)->Close();
  }
  absl::MutexLock lock(&mu_);
  served->link.reset();
  served->ended = true;
}

absl::StatusOr<std::shared_ptr<WorkerLink>> LocalPlane::Greet(LocalSocket socket) {
  socket.SetPatience(kPatience);
  char room[sizeof(LocalFrame) + kTokenBytes];
  SYNCLINE_ASSIGN_OR_RETURN(const size_t size, socket.Receive(absl::MakeSpan(room)));
  const auto frame = LocalFrame::Of({room, size});
  const absl::string_view token =
      frame ? absl::string_view(room, size).substr(sizeof(LocalFrame)) : "";
  std::shared_ptr<WorkerLink> link;
  {
    absl::MutexLock lock(&mu_);
    const auto offer = std::find_if(offers_.begin(), offers_.end(),
                                    [&](const Offered& o) { return o.token == token; });
    if (offer == offers_.end() || frame->kind != LocalFrame::kHello) {
      return absl::PermissionDeniedError("no such token");
    }
    socket.SetPatience(absl::ZeroDuration());  // for ever
    link = std::make_shared<WorkerLink>(std::move(socket), offer->worker);
    offers_.erase(offer);
  }
  link->Reply(*frame, absl::OkStatus(), "");
  return link;
}

void LocalPlane::ServeCalls(const std::shared_ptr<WorkerLink>& link) {
  std::vector<char> room(kMaxLocalMessage);
  while (true) {
    int descriptor = -1;
    const auto size = link->socket().Receive(absl::MakeSpan(room), &descriptor);
    if (!size.ok()) return;
    const auto frame = LocalFrame::Of({room.data(), *size});
    if (descriptor >= 0 && (!frame || frame->kind != LocalFrame::kLend)) close(descriptor);
    if (!frame) return;
    const absl::string_view body =
        absl::string_view(room.data(), *size).substr(sizeof(LocalFrame));
    if (frame->kind == LocalFrame::kLend) {
      TakeBlock(link.get(), *frame, descriptor);
    } else if (frame->kind == LocalFrame::kPing) {
      link->Reply(*frame, absl::OkStatus(), "");
    } else {
      link->Begin(*frame);
      serve_(link, *frame, body);
    }
  }
}

void LocalPlane::Close() {
  std::thread accepting;
  {
    absl::MutexLock lock(&mu_);
    if (closing_) return;
    closing_ = true;
    accepting = std::move(accepting_);
  }
  if (accepting.joinable()) {
    listener_.Shutdown();
    accepting.join();
  }
  absl::MutexLock lock(&mu_);
  for (const Served& served : served_) {
    if (served.link != nullptr) served.link->socket().Shutdown();
  }
  const auto all_ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return std::all_of(served_.begin(), served_.end(), [](const Served& s) { return s.ended; });
  };
  mu_.Await(absl::Condition(&all_ended));
  Sweep();
}

size_t LocalPlane::blocks() const {
  absl::MutexLock lock(&mu_);
  size_t blocks = 0;
  for (const Served& served : served_) {
    if (served.link != nullptr) blocks += served.link->blocks();
  }
  return blocks;
}

}  // namespace syncline
