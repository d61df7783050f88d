#ifndef SYNCLINE_TESTS_INTEGRATION_TCP_RELAY_H_
#define SYNCLINE_TESTS_INTEGRATION_TCP_RELAY_H_

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace syncline {

// A port of this host from which connections are passed on to another one, until somebody breaks them. Thread-safe.
class TcpRelay {
 public:
  TcpRelay();
  ~TcpRelay();

  // HOST:PORT.
  std::string address() const;
  // Where connections lead from now on: a port of this host. Before, they end at once.
  void LeadTo(int port) { port_ = port; }
  // Ends all connections; new ones can be made.
  void Break();

 private:
  void Accept();
  // Copies what comes from one until it ends, and ends both.
  static void Pass(int from, int to);

  int listener_;
  std::atomic<int> port_{0};
  std::atomic<bool> closing_{false};
  absl::Mutex mu_;
  std::vector<int> sockets_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mu_);
  std::thread acceptor_;
};

}  // namespace syncline

#endif  // SYNCLINE_TESTS_INTEGRATION_TCP_RELAY_H_
