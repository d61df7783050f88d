#include "common/memory/local_link.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(5);

}  // namespace

absl::StatusOr<std::unique_ptr<LocalLink>> LocalLink::Attach(const Ask& ask, const Sender& sender,
                                                             const LentBlocks& blocks, Silence silence) {
  AttachMemoryRequest request;
  *request.mutable_sender() = sender;
  request.set_host(HostIdentity());
  if (blocks.empty() || request.host().empty()) return nullptr;
  SYNCLINE_ASSIGN_OR_RETURN(const AttachMemoryReply offer, ask(request));
  if (offer.socket().empty()) return nullptr;
  SYNCLINE_ASSIGN_OR_RETURN(LocalSocket socket, LocalSocket::Connect(offer.socket()));
  SYNCLINE_RETURN_IF_ERROR(socket.CheckPeer());
  socket.SetPatience(kTimeout);
  std::unique_ptr<LocalLink> link(new LocalLink(std::move(socket), silence));
  SYNCLINE_RETURN_IF_ERROR(link->CallAndWait(LocalFrame::kHello, offer.token(), -1).status());
  for (const auto& block : blocks) {
    SYNCLINE_ASSIGN_OR_RETURN(const std::string number,
                              link->CallAndWait(LocalFrame::kLend, "", block->fd()));
    link->Mapped(block, number);
  }
  link->socket_.SetPatience(silence.tick);
  link->reader_ = std::thread([l = link.get()] { l->ReadAnswers(); });
  return link;
}

void LocalLink::Close() {
  socket_.Shutdown();
  if (reader_.joinable()) reader_.join();
}

absl::StatusOr<std::string> LocalLink::CallAndWait(LocalFrame::Kind kind, absl::string_view body,
                                                   int descriptor) {
  LocalFrame frame;
  frame.kind = kind;
  SYNCLINE_RETURN_IF_ERROR(socket_.Send(frame.AsBytes(), body, descriptor));
  std::vector<char> room(kMaxLocalMessage);
  SYNCLINE_ASSIGN_OR_RETURN(const size_t size, socket_.Receive(absl::MakeSpan(room)));
  const auto answer = LocalFrame::Of({room.data(), size});
  if (!answer) return absl::InternalError("the answer of a process on this host is no frame");
  std::string text(room.data() + sizeof(*answer), size - sizeof(*answer));
  if (answer->code != 0) return absl::Status(static_cast<absl::StatusCode>(answer->code), text);
  return text;
}

void LocalLink::Lend(std::shared_ptr<const SharedMemory> block) {
  const int fd = block->fd();
  Call(LocalFrame::kLend, "", fd, [this, block = std::move(block)](const absl::StatusOr<std::string>& number) {
    if (number.ok()) Mapped(block, *number);
  });
}

void LocalLink::Mapped(std::shared_ptr<const SharedMemory> block, absl::string_view number) {
  uint64_t segment = 0;
  if (number.size() != sizeof(segment)) return;
  std::memcpy(&segment, number.data(), sizeof(segment));
  absl::MutexLock lock(&mu_);
  blocks_[segment] = std::move(block);
}

std::optional<LocalLink::Places> LocalLink::Find(absl::Span<const Chunk> chunks) const {
  if (chunks.empty()) return std::nullopt;
  absl::MutexLock lock(&mu_);
  for (const auto& [segment, block] : blocks_) {
    Places places;
    places.segment = segment;
    for (const Chunk& chunk : chunks) {
      const auto offset = block->OffsetOf(chunk.data, chunk.bytes);
      if (!offset) break;
      places.offsets.push_back(*offset);
    }
    if (places.offsets.size() == chunks.size()) return places;
  }
  return std::nullopt;
}

bool LocalLink::Call(LocalFrame::Kind kind, absl::string_view message, int descriptor, Done done) {
  LocalFrame frame;
  frame.kind = kind;
  {
    absl::MutexLock lock(&mu_);
    if (ended_) return false;
    frame.call = ++last_call_;
    calls_[frame.call] = std::move(done);
  }
  if (socket_.Send(frame.AsBytes(), message, descriptor).ok()) return true;
  // Unless it has been told of the end meanwhile, which then counts as its answer.
  absl::MutexLock lock(&mu_);
  return calls_.erase(frame.call) == 0;
}

void LocalLink::ReadAnswers() {
  std::vector<char> room(kMaxLocalMessage);
  absl::Status lost = absl::UnavailableError("the process on this host has gone");
  while (true) {
    const auto size = socket_.Receive(absl::MakeSpan(room));
    if (absl::IsDeadlineExceeded(size.status())) {
      if (Silent()) continue;
      lost = absl::FailedPreconditionError(absl::StrCat(
          "the process on this host was silent for ",
          absl::FormatDuration(silence_.lost * silence_.tick),
          " and has not given the memory back that it was lent"));
      break;
    }
    if (!size.ok()) break;
    silent_ticks_ = 0;
    const absl::string_view message(room.data(), *size);
    const auto frame = LocalFrame::Of(message);
    if (frame) Answer(*frame, message.substr(sizeof(*frame)));
  }
  FailAll(lost);
}

void LocalLink::Answer(const LocalFrame& frame, absl::string_view body) {
  Done done;
  {
    absl::MutexLock lock(&mu_);
    const auto call = calls_.find(frame.call);
    if (call == calls_.end()) return;  // of a sign of life
    done = std::move(call->second);
    calls_.erase(call);
  }
  if (frame.code == 0) return done(std::string(body));
  done(absl::Status(static_cast<absl::StatusCode>(frame.code), body));
}

bool LocalLink::Silent() {
  absl::MutexLock lock(&mu_);
  silent_ticks_ = calls_.empty() ? 0 : silent_ticks_ + 1;
  if (silent_ticks_ == silence_.ping) {
    LocalFrame ping;
    ping.kind = LocalFrame::kPing;
    socket_.Send(ping.AsBytes(), "").IgnoreError();
  } else if (silent_ticks_ == silence_.end) {
    ended_ = true;
    // The peer closes its end once nothing of it looks at the memory any more.
    socket_.ShutdownWrites();
  }
  return silent_ticks_ < silence_.lost;
}

void LocalLink::FailAll(const absl::Status& status) {
  std::map<uint64_t, Done> calls;
  {
    absl::MutexLock lock(&mu_);
    ended_ = true;
    calls.swap(calls_);
  }
  for (const auto& [call, done] : calls) done(status);
}

}  // namespace syncline
