#ifndef SYNCLINE_COMMON_MEMORY_LOCAL_SOCKET_H_
#define SYNCLINE_COMMON_MEMORY_LOCAL_SOCKET_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace syncline {

// A Unix-domain socket, as far as handing descriptors over needs one: small messages, one at a time,
// of which one carries a descriptor. Sockets have names of the abstract kind, which leave no file
// behind. Movable; not thread-safe. Errors: UNAVAILABLE when the other side is away,
// PERMISSION_DENIED when it runs as another user.
class LocalSocket {
 public:
  LocalSocket() = default;
  ~LocalSocket() { Close(); }
  LocalSocket(LocalSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  LocalSocket& operator=(LocalSocket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  // Listens under a name of its own.
  static absl::StatusOr<LocalSocket> Listen(absl::string_view name);
  static absl::StatusOr<LocalSocket> Connect(absl::string_view name);
  // The next connection; blocks until there is one. Reads and writes on it give up after `patience`.
  absl::StatusOr<LocalSocket> Accept(absl::Duration patience) const;

  // PERMISSION_DENIED unless the peer runs as this process's user, as the kernel says.
  absl::Status CheckPeer() const;

  // Sends `bytes`, and with them a descriptor unless it is -1.
  absl::Status Send(absl::string_view bytes, int descriptor = -1) const;
  // Exactly `count` bytes. The descriptor that came with them goes to `descriptor`, -1 if none did;
  // the caller closes it.
  absl::StatusOr<std::string> Receive(size_t count, int* descriptor = nullptr) const;

  // Whether the peer has closed its end, or died. Never blocks.
  bool PeerGone() const;
  int fd() const { return fd_; }

 private:
  explicit LocalSocket(int fd) : fd_(fd) {}
  void Close();

  int fd_ = -1;
};

// Tells hosts apart, and is another one after each start of a host. Containers of one host share it.
// Empty if the system does not say.
std::string HostIdentity();

// `bytes` bytes nobody can guess.
std::string RandomToken(size_t bytes);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_MEMORY_LOCAL_SOCKET_H_
