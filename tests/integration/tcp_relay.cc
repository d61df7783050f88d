#include "tests/integration/tcp_relay.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"

namespace syncline {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int NewSocket() { return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }

}  // namespace

TcpRelay::TcpRelay() : listener_(NewSocket()) {
  sockaddr_in address = Loopback(0);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 || listen(listener_, 64) != 0) abort();
  acceptor_ = std::thread([this] { Accept(); });
}

TcpRelay::~TcpRelay() {
  closing_ = true;
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  Break();
  absl::MutexLock lock(&mu_);
  for (std::thread& thread : threads_) thread.join();
  for (const int socket : sockets_) close(socket);
  close(listener_);
}

std::string TcpRelay::address() const {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  return absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
}

void TcpRelay::Break() {
  absl::MutexLock lock(&mu_);
  // They are closed at the very end, so that no number is used twice.
  for (const int socket : sockets_) shutdown(socket, SHUT_RDWR);
}

void TcpRelay::Accept() {
  while (!closing_) {
    const int near = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (near < 0) continue;
    const int far = NewSocket();
    const sockaddr_in target = Loopback(port_);
    const bool connected = connect(far, reinterpret_cast<const sockaddr*>(&target), sizeof(target)) == 0;
    absl::MutexLock lock(&mu_);
    sockets_.insert(sockets_.end(), {near, far});
    if (!connected) {
      shutdown(near, SHUT_RDWR);
      continue;
    }
    threads_.emplace_back([near, far] { Pass(near, far); });
    threads_.emplace_back([near, far] { Pass(far, near); });
  }
}

void TcpRelay::Pass(int from, int to) {
  std::string buffer(1 << 16, '\0');
  while (true) {
    const ssize_t got = recv(from, buffer.data(), buffer.size(), 0);
    // A socket that blocks takes all, unless it has ended.
    if (got <= 0 || send(to, buffer.data(), static_cast<size_t>(got), MSG_NOSIGNAL) != got) break;
  }
  for (const int socket : {from, to}) shutdown(socket, SHUT_RDWR);
}

}  // namespace syncline
