#include "tests/integration/etcd_process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/integration/in_process_cluster.h"

namespace syncline {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

bool Listens(const std::string& address) {
  const sockaddr_in peer = Loopback(std::stoi(address.substr(address.rfind(':') + 1)));
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  const bool connected = connect(socket, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)) == 0;
  close(socket);
  return connected;
}

}  // namespace

std::string FreeAddress() {
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
  getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  close(socket);
  return absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
}

EtcdProcess::EtcdProcess()
    : folder_(FreshFolder("etcd")), address_(FreeAddress()), peer_address_(FreeAddress()) {
  Start();
}

void EtcdProcess::Start() {
  auto process = ChildProcess::Start(
      "etcd",
      {"/usr/bin/etcd", absl::StrCat("--data-dir=", folder_, "/data"),
       absl::StrCat("--listen-client-urls=http://", address_),
       absl::StrCat("--advertise-client-urls=http://", address_),
       absl::StrCat("--listen-peer-urls=http://", peer_address_),
       absl::StrCat("--initial-advertise-peer-urls=http://", peer_address_),
       absl::StrCat("--initial-cluster=default=http://", peer_address_), "--logger=zap"},
      folder_ + "/log");
  SYNCLINE_ASSERT_OK(process.status());
  process_ = *std::move(process);
  for (int i = 0; i < 300 && !Listens(address_); ++i) absl::SleepFor(absl::Milliseconds(100));
  ASSERT_TRUE(Listens(address_)) << LastLines(folder_ + "/log", 10);
}

}  // namespace syncline
