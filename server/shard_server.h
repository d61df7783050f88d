#ifndef SYNCLINE_SERVER_SHARD_SERVER_H_
#define SYNCLINE_SERVER_SHARD_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/io/posix_file_system.h"
#include "common/rpc/security.h"

namespace syncline {

// A whole shard in one object: server, status page, and its life with the coordinator. What
// syncline-ps runs, and tests too.
class ShardServer {
 public:
  struct Options {
    std::string listen = "127.0.0.1:0";
    int http_port = -1;  // -1: no status page
    SecurityOptions security;
    // host:port; empty: whoever wants to may configure this shard.
    std::string coordinator;
    // Where workers reach this shard; empty: the address listened on.
    std::string advertise;
    // Threads that serve pushes, pulls and commits, 1 to 64; 0: half the cores, at most 8.
    int io_threads = 0;
    // Threads that share large updates and copies, 1 to 1024; 0: as many as there are cores.
    int apply_threads = 0;
    // Memory for gradients on their way here, of all workers together, at least 1 MiB.
    uint64_t receive_bytes = uint64_t{1} << 30;
    // Memory for the rows of tables and for finding them, at least 1 MiB; what is not used then lies in a file in
    // table_folder, which must be on a local disk. 0: no limit.
    uint64_t table_memory = 0;
    std::string table_folder;
    // Where checkpoints are; not owned.
    FileSystem* files = &PosixFileSystem();
  };

  // Serves at once; the shard is ready when the coordinator has configured it.
  static absl::StatusOr<std::unique_ptr<ShardServer>> Start(const Options& options);
  // Answers what waits with CANCELLED and stops serving.
  virtual ~ShardServer() = default;

  virtual const std::string& address() const = 0;
  // host:port, or empty.
  virtual const std::string& http_address() const = 0;
  // Asks the coordinator to let this shard go, and waits for that at most `patience`: until others have
  // its chunks or, if it is the last one, until the job has ended in good order. A coordinator that is away
  // is waited for too, unless that has happened.
  virtual absl::Status Drain(absl::Duration patience) = 0;
  // Others have its chunks, and nobody needs it any more.
  virtual bool retired() const = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SHARD_SERVER_H_
