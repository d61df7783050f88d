#ifndef SYNCLINE_DEPLOY_CLI_CHILD_PROCESS_H_
#define SYNCLINE_DEPLOY_CLI_CHILD_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace syncline {

// A program run beside this one, that never outlives it: the kernel ends it when this process dies,
// and the destructor does otherwise. Not thread-safe; start it from the main thread, as the
// kernel's watch is over the thread that started it.
class ChildProcess {
 public:
  // Runs `arguments` (the program first), its output written to the file `log`.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const std::string& name,
                                                             std::vector<std::string> arguments,
                                                             const std::string& log);
  // SIGKILL, if it still runs.
  ~ChildProcess();

  const std::string& name() const { return name_; }
  const std::string& log() const { return log_; }

  // Its exit status, 128 + the signal's number if one ended it; nothing while it runs.
  std::optional<int> Poll();
  void Terminate();  // SIGTERM
  void Kill();       // SIGKILL
  void Stop();       // SIGSTOP
  void Continue();   // SIGCONT
  // Waits for its end; false when `patience` ran out first.
  bool WaitFor(absl::Duration patience);

 private:
  ChildProcess(std::string name, std::string log, pid_t pid)
      : name_(std::move(name)), log_(std::move(log)), pid_(pid) {}

  const std::string name_;
  const std::string log_;
  const pid_t pid_;
  std::optional<int> status_;
};

// The last lines of a text file, for error messages; empty if it cannot be read.
std::string LastLines(const std::string& path, int lines);

}  // namespace syncline

#endif  // SYNCLINE_DEPLOY_CLI_CHILD_PROCESS_H_
