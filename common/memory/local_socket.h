#ifndef SYNCLINE_COMMON_MEMORY_LOCAL_SOCKET_H_
#define SYNCLINE_COMMON_MEMORY_LOCAL_SOCKET_H_

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace syncline {

// A Unix-domain socket that carries messages (SOCK_SEQPACKET): each arrives whole or not at all, and
// may bring a descriptor along. Names are of the abstract kind, which leave no file behind.
//
// Movable. Thread-safe, but for moving: a message may be sent while another is received. Errors:
// UNAVAILABLE when the other side is away, PERMISSION_DENIED when it runs as another user.
class LocalSocket {
 public:
  LocalSocket() = default;
  ~LocalSocket();
  LocalSocket(LocalSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  LocalSocket& operator=(LocalSocket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  // Listens under a name of its own.
  static absl::StatusOr<LocalSocket> Listen(absl::string_view name);
  static absl::StatusOr<LocalSocket> Connect(absl::string_view name);
  // The next connection; blocks until there is one, or Shutdown.
  absl::StatusOr<LocalSocket> Accept() const;

  // PERMISSION_DENIED unless the peer runs as this process's user, as the kernel says.
  absl::Status CheckPeer() const;

  // Sends `head` and `body` as one message, and with it a descriptor unless it is -1. Never blocks:
  // RESOURCE_EXHAUSTED, and nothing is sent, when the message is too long (some 200 KiB) or the peer
  // has not read those before it.
  absl::Status Send(absl::string_view head, absl::string_view body, int descriptor = -1) const;
  // The next message, put into `room`; its size. Blocks, at most for the patience set:
  // DEADLINE_EXCEEDED. INVALID_ARGUMENT for a message that `room` is too small for. The descriptor
  // that came with it goes to `descriptor`, -1 if none did; the caller closes it.
  absl::StatusOr<size_t> Receive(absl::Span<char> room, int* descriptor = nullptr) const;
  // How long Receive waits; for ever unless set.
  void SetPatience(absl::Duration patience) const;

  // Tells the peer that nothing more will come, or go either way. A blocked Receive returns.
  void ShutdownWrites() const;
  void Shutdown() const;

 private:
  explicit LocalSocket(int fd) : fd_(fd) {}

  int fd_ = -1;
};

// Tells hosts apart, and is another one after each start of a host. Containers of one host share it.
// Empty if the system does not say.
std::string HostIdentity();

// `bytes` bytes nobody can guess.
std::string RandomToken(size_t bytes);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_MEMORY_LOCAL_SOCKET_H_
