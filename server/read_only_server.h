#ifndef SYNCLINE_SERVER_READ_ONLY_SERVER_H_
#define SYNCLINE_SERVER_READ_ONLY_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/io/posix_file_system.h"
#include "common/rpc/security.h"
#include "server/service/served_checkpoint.h"

namespace syncline {

// syncline-ps --read_only: serves the newest checkpoint of a folder, without a coordinator or workers. docs/serving.md.
class ReadOnlyServer {
 public:
  struct Options {
    std::string listen = "127.0.0.1:0";
    int http_port = -1;  // -1: no status page
    SecurityOptions security;
    // Where checkpoints come to lie (checkpoint.directory of the job).
    std::string checkpoints;
    ServePart part;
    // How often it is looked for a newer one.
    absl::Duration interval = absl::Seconds(2);
    // As in ShardServer.
    int io_threads = 0;
    FileSystem* files = &PosixFileSystem();  // not owned
  };

  // Answers at once; there is something to pull when the first checkpoint has been read, for which it waits if need be.
  static absl::StatusOr<std::unique_ptr<ReadOnlyServer>> Start(const Options& options);
  virtual ~ReadOnlyServer() = default;

  virtual const std::string& address() const = 0;
  // host:port, or empty.
  virtual const std::string& http_address() const = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_READ_ONLY_SERVER_H_
