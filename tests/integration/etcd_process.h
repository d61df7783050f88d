#ifndef SYNCLINE_TESTS_INTEGRATION_ETCD_PROCESS_H_
#define SYNCLINE_TESTS_INTEGRATION_ETCD_PROCESS_H_

#include <memory>
#include <string>

#include "deploy/cli/child_process.h"

namespace syncline {

// An address of loopback that is free right now: HOST:PORT.
std::string FreeAddress();

// The etcd of this machine (Debian's etcd-server) on ports of loopback, with a folder of its own. Fails the
// test if it does not start.
class EtcdProcess {
 public:
  EtcdProcess();

  // etcd://HOST:PORT/PREFIX
  std::string url(const std::string& prefix) const { return "etcd://" + address_ + prefix; }
  void Kill() { process_.reset(); }
  // At the same address, with what was there. Returns once it listens.
  void Start();

 private:
  const std::string folder_;
  const std::string address_;
  const std::string peer_address_;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace syncline

#endif  // SYNCLINE_TESTS_INTEGRATION_ETCD_PROCESS_H_
