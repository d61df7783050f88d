#ifndef SYNCLINE_TESTS_BENCH_CHILD_PROCESS_H_
#define SYNCLINE_TESTS_BENCH_CHILD_PROCESS_H_

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace syncline {

// A benchmark that cannot measure says why and fails.
[[noreturn]] inline void Die(const std::string& what) {
  std::fprintf(stderr, "benchmark: %s\n", what.c_str());
  std::exit(1);
}

inline void Must(const absl::Status& status) {
  if (!status.ok()) Die(std::string(status.message()));
}

template <typename T>
T Must(absl::StatusOr<T> value) {
  Must(value.status());
  return *std::move(value);
}

// Lines to and from another process.
class Pipe {
 public:
  Pipe(int in, int out) : in_(in), out_(out) {}

  std::string ReadLine() const {
    std::string line;
    char c = 0;
    while (read(in_, &c, 1) == 1 && c != '\n') line += c;
    if (c != '\n') Die("another process has gone");
    return line;
  }
  void WriteLine(const std::string& text) const {
    const std::string line = text + "\n";
    if (write(out_, line.data(), line.size()) < 0) Die("another process has gone");
  }

 private:
  int in_;
  int out_;
};

// Says that this process is ready, and is there until it is ended.
[[noreturn]] inline void StayUp(const std::string& ready, const Pipe& parent) {
  parent.WriteLine(ready);
  while (true) pause();
}

// A forked process, ended with this object or with its parent. To be started before gRPC has started
// anything here, which does not survive a fork.
class ChildProcess {
 public:
  explicit ChildProcess(const std::function<void(const Pipe& parent)>& body) {
    int down[2], up[2];
    if (::pipe(down) != 0 || ::pipe(up) != 0) Die("no pipe");
    process_ = fork();
    if (process_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      body(Pipe(down[0], up[1]));
      std::_Exit(0);
    }
    pipe_ = Pipe(up[0], down[1]);
  }
  ~ChildProcess() {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  ChildProcess(const ChildProcess&) = delete;

  const Pipe& pipe() const { return pipe_; }
  pid_t pid() const { return process_; }

 private:
  pid_t process_ = -1;
  Pipe pipe_{-1, -1};
};

}  // namespace syncline

#endif  // SYNCLINE_TESTS_BENCH_CHILD_PROCESS_H_
