#include "deploy/cli/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/io/file_system.h"
#include "common/io/posix_file_system.h"
#include "common/time/steady_now.h"

namespace syncline {
namespace {

// Between fork and exec: only what is safe there.
[[noreturn]] void Become(char* const* arguments, int log, pid_t parent) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // A terminal's Ctrl-C goes to the whole group; the launcher alone decides what it means.
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // it died before the watch began
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execv(arguments[0], arguments);
  _exit(127);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(
    const std::string& name, std::vector<std::string> arguments, const std::string& log) {
  if (access(arguments[0].c_str(), X_OK) != 0) {
    return absl::NotFoundError(absl::StrCat("cannot run ", arguments[0], ": ", strerror(errno),
                                            "; build it, or say where it is with --bin_dir"));
  }
  const int file = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) {
    return absl::UnavailableError(absl::StrCat("cannot write ", log, ": ", strerror(errno)));
  }
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) Become(pointers.data(), file, parent);
  close(file);
  if (pid < 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot start ", name, ": ", strerror(errno)));
  }
  return std::unique_ptr<ChildProcess>(new ChildProcess(name, log, pid));
}

ChildProcess::~ChildProcess() {
  if (Poll()) return;
  Kill();
  WaitFor(absl::InfiniteDuration());
}

std::optional<int> ChildProcess::Poll() {
  if (status_) return status_;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return status_;
}

void ChildProcess::Terminate() {
  if (!Poll()) kill(pid_, SIGTERM);
}

void ChildProcess::Kill() {
  if (!Poll()) kill(pid_, SIGKILL);
}

void ChildProcess::Stop() {
  if (!Poll()) kill(pid_, SIGSTOP);
}

void ChildProcess::Continue() {
  if (!Poll()) kill(pid_, SIGCONT);
}

bool ChildProcess::WaitFor(absl::Duration patience) {
  const absl::Time deadline = SteadyNow() + patience;
  while (!Poll()) {
    if (SteadyNow() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(10));
  }
  return true;
}

std::string LastLines(const std::string& path, int lines) {
  const auto text = ReadFile(PosixFileSystem(), path);
  if (!text.ok()) return "";
  const std::vector<std::string> all = absl::StrSplit(*text, '\n', absl::SkipEmpty());
  const size_t count = std::min<size_t>(all.size(), static_cast<size_t>(lines));
  return absl::StrJoin(all.end() - static_cast<ptrdiff_t>(count), all.end(), "\n");
}

}  // namespace syncline
