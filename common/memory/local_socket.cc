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

int NewSocket() { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }

}  // namespace

void LocalSocket::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
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

absl::StatusOr<LocalSocket> LocalSocket::Accept(absl::Duration patience) const {
  LocalSocket s(accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC));
  if (s.fd_ < 0) return Failed("cannot accept");
  const timeval wait = absl::ToTimeval(patience);
  setsockopt(s.fd_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
  setsockopt(s.fd_, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
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

absl::Status LocalSocket::Send(absl::string_view bytes, int descriptor) const {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (descriptor >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
  }
  // So few bytes fit the socket's buffer, or the peer does not read.
  const ssize_t sent = sendmsg(fd_, &message, MSG_NOSIGNAL);
  return sent == static_cast<ssize_t>(bytes.size()) ? absl::OkStatus() : Failed("cannot send");
}

absl::StatusOr<std::string> LocalSocket::Receive(size_t count, int* descriptor) const {
  std::string bytes(count, '\0');
  if (descriptor != nullptr) *descriptor = -1;
  for (size_t have = 0; have < count;) {
    iovec part{bytes.data() + have, count - have};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    const ssize_t got = recvmsg(fd_, &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    const cmsghdr* const header = CMSG_FIRSTHDR(&message);
    if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
      int came;
      memcpy(&came, CMSG_DATA(header), sizeof(int));
      if (descriptor != nullptr && *descriptor < 0) {
        *descriptor = came;
      } else {
        close(came);
      }
    }
    if (got <= 0) {
      if (descriptor != nullptr && *descriptor >= 0) close(std::exchange(*descriptor, -1));
      return got == 0 ? absl::UnavailableError("local socket: the other side has gone")
                      : Failed("cannot receive");
    }
    have += static_cast<size_t>(got);
  }
  return bytes;
}

bool LocalSocket::PeerGone() const {
  char byte;
  const ssize_t got = recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

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
