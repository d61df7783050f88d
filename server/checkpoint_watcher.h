#ifndef SYNCLINE_SERVER_CHECKPOINT_WATCHER_H_
#define SYNCLINE_SERVER_CHECKPOINT_WATCHER_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/io/file_system.h"
#include "common/time/steady_notification.h"
#include "server/service/served_checkpoint.h"

namespace syncline {

// Looks for the newest checkpoint of a folder and reads it when it is another one than before. One that cannot be read
// is said loudly, and looked at again after ever longer; what was read before is served on. Thread-safe, but for Look.
class CheckpointWatcher {
 public:
  struct Options {
    FileSystem* files = nullptr;  // not owned
    std::string directory;
    ServePart part;
    // Told of each that was read, by Look.
    std::function<void(std::shared_ptr<ServedCheckpoint>)> serve;
    absl::Duration interval = absl::Seconds(2);
  };

  explicit CheckpointWatcher(Options options) : options_(std::move(options)) {}
  ~CheckpointWatcher();

  // Looks every `interval` from now on, on a thread of its own.
  void Start();
  // Looks once. Before Start, or instead of it.
  void Look();

  // Empty while the newest checkpoint is the one served; else why not.
  std::string trouble() const;
  // Checkpoints that could not be read, each time it was tried.
  uint64_t refused() const;

 private:
  // What tells one checkpoint from another, even of the same step: its folder and its manifest's checksum.
  struct Identity {
    std::string folder;
    std::string manifest;
    bool operator==(const Identity& other) const { return folder == other.folder && manifest == other.manifest; }
  };
  static constexpr int kLongestPause = 64;  // looks

  absl::StatusOr<Identity> Newest() const;
  absl::Status Read(const Identity& identity);
  void Note(const absl::Status& status);

  const Options options_;
  // Of whoever looks.
  std::shared_ptr<ServedCheckpoint> served_;
  Identity read_, failed_;
  int pause_ = 0;    // looks before it is tried again
  int longest_ = 0;  // the last pause
  mutable absl::Mutex mu_;
  std::string trouble_ ABSL_GUARDED_BY(mu_);
  uint64_t refused_ ABSL_GUARDED_BY(mu_) = 0;
  SteadyNotification closing_;
  std::thread thread_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_CHECKPOINT_WATCHER_H_
