#ifndef SYNCLINE_SERVER_COORDINATOR_COORDINATOR_SERVER_H_
#define SYNCLINE_SERVER_COORDINATOR_COORDINATOR_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/io/posix_file_system.h"
#include "common/rpc/security.h"
#include "proto/coordinator.pb.h"
#include "proto/job.pb.h"
#include "server/coordinator/load_watch.h"

namespace syncline {

// A whole coordinator in one object: core, server, status page and the thread that calls Tick. What
// syncline-coordinator runs, and tests too. Thread-safe.
class CoordinatorServer {
 public:
  struct Options {
    // Complete, as LoadManifest returns it.
    JobManifest job;
    std::string listen = "127.0.0.1:0";
    int http_port = -1;  // -1: no status page
    SecurityOptions security;
    // Folder of a checkpoint to continue from, or "latest" of checkpoint.directory; empty: none.
    std::string restore;
    // What keeps what the next coordinator must know, should this one end before the job: a folder, or
    // etcd://HOST:PORT[,HOST:PORT...][/PREFIX]. It goes on from what is there. While another one has it this
    // one stands by. Empty: nothing is kept.
    std::string metadata;
    // Asked while standing by: true ends that with CANCELLED, as the end of the job does. May be null.
    std::function<bool()> stop;
    // Told when etcd was not heard of for so long that another coordinator may lead: this one should end
    // at once, without draining. May be null: then everything it decides on fails from then on.
    std::function<void(const absl::Status&)> deposed;
    absl::Duration member_lease = absl::Seconds(3);
    uint64_t lease_steps = 256;
    absl::Duration load_interval = LoadWatch::Options().interval;
    // Where checkpoints are; not owned.
    FileSystem* files = &PosixFileSystem();
  };

  // Serves at once. NOT_FOUND for a checkpoint that is not there; INVALID_ARGUMENT naming the flag.
  static absl::StatusOr<std::unique_ptr<CoordinatorServer>> Start(const Options& options);
  // Stops serving. Does not drain.
  virtual ~CoordinatorServer() = default;

  virtual const std::string& address() const = 0;
  // host:port, or empty.
  virtual const std::string& http_address() const = 0;
  // Stops training at a step boundary and writes a last checkpoint; returns when that is durable and
  // the workers have left.
  virtual absl::StatusOr<DrainReply> Drain() = 0;
  virtual bool finished() const = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_COORDINATOR_SERVER_H_
