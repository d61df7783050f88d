#include "common/memory/local_socket.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

absl::Status Failed(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat("local socket: ", what, ": ", strerror(errno)));
}

// An abstract name begins with a zero byte and has no end but its length.
absl::StatusOr<socklen_t> Address(absl::string_view name, sockaddr_un* address) {
  *address = {};
  address->sun_family = AF_UNIX;
  if (name.empty() || name.size() + 1 > sizeof(address->sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("the name of a local socket has ", name.size(),
                                                   " bytes: it must have 1 to ",
                                                   sizeof(address->sun_path) - 1));
  }
  memcpy(address->sun_path + 1, name.data(), name.size());
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
}

int NewSocket() { return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0); }

// The descriptor that came with a message, -1 if none did. Room is for one, so there are no more.
int DescriptorIn(msghdr* message) {
  const cmsghdr* const header = CMSG_FIRSTHDR(message);
  int descriptor = -1;
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    memcpy(&descriptor, CMSG_DATA(header), sizeof(int));
  }
  return descriptor;
}

}  // namespace

LocalSocket::~LocalSocket() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<LocalSocket> LocalSocket::Listen(absl::string_view name) {
  sockaddr_un address;
  SYNCLINE_ASSIGN_OR_RETURN(const socklen_t size, Address(name, &address));
  LocalSocket listener(NewSocket());
  if (listener.fd_ < 0 ||
      bind(listener.fd_, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      listen(listener.fd_, SOMAXCONN) != 0) {
    return Failed("cannot listen");
  }
  return listener;
}

absl::StatusOr<LocalSocket> LocalSocket::Connect(absl::string_view name) {
  sockaddr_un address;
  SYNCLINE_ASSIGN_OR_RETURN(const socklen_t size, Address(name, &address));
  LocalSocket s(NewSocket());
  if (s.fd_ < 0 || connect(s.fd_, reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    return Failed("cannot connect");
  }
  return s;
}

absl::StatusOr<LocalSocket> LocalSocket::Accept() const {
  LocalSocket s(accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC));
  if (s.fd_ < 0) return Failed("cannot accept");
  return s;
}

absl::Status LocalSocket::CheckPeer() const {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(fd_, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return Failed("no credentials");
  if (peer.uid == geteuid()) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(
      "process ", peer.pid, " on this host runs as user ", peer.uid, ", not as ", geteuid(),
      ": memory is shared between processes of one user only"));
}

absl::Status LocalSocket::Send(absl::string_view head, absl::string_view body,
                               int descriptor) const {
  iovec parts[] = {{const_cast<char*>(head.data()), head.size()},
                   {const_cast<char*>(body.data()), body.size()}};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  if (descriptor >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
  }
  while (sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EMSGSIZE || errno == ENOBUFS) {
      return absl::ResourceExhaustedError(absl::StrCat("local socket: no room for a message of ",
                                                       head.size() + body.size(), " bytes"));
    }
    return Failed("cannot send");
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> LocalSocket::Receive(absl::Span<char> room, int* descriptor) const {
  iovec part{room.data(), room.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  ssize_t got;
  do {
    message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    got = recvmsg(fd_, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (descriptor != nullptr) *descriptor = -1;
  if (got == 0) return absl::UnavailableError("local socket: the other side has gone");
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    return absl::DeadlineExceededError("local socket: nothing came");
  }
  if (got < 0) return Failed("cannot receive");
  const int came = DescriptorIn(&message);
  const bool cut = (message.msg_flags & MSG_TRUNC) != 0;
  if (came >= 0 && (descriptor == nullptr || cut)) {
    close(came);
  } else if (descriptor != nullptr) {
    *descriptor = came;
  }
  if (cut) {
    return absl::InvalidArgumentError(
        absl::StrCat("local socket: a message of more than ", room.size(), " bytes"));
  }
  return static_cast<size_t>(got);
}

void LocalSocket::SetPatience(absl::Duration patience) const {
  const timeval wait = absl::ToTimeval(patience);
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
}

void LocalSocket::ShutdownWrites() const { shutdown(fd_, SHUT_WR); }

void LocalSocket::Shutdown() const { shutdown(fd_, SHUT_RDWR); }

std::string HostIdentity() {
  std::string id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  return id;
}

std::string RandomToken(size_t bytes) {
  std::string token(bytes, '\0');
  for (size_t have = 0; have < bytes;) {
    const ssize_t got = getrandom(token.data() + have, bytes - have, 0);
    if (got > 0) have += static_cast<size_t>(got);
  }
  return token;
}

}  // namespace syncline
