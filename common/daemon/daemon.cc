#include "common/daemon/daemon.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/config/environment.h"
#include "common/io/file_system.h"
#include "common/io/posix_file_system.h"
#include "common/obs/logging.h"
#include "spdlog/spdlog.h"

ABSL_FLAG(std::string, listen, "127.0.0.1:0",
          "host:port to serve gRPC on; port 0 takes a free one. Outside loopback TLS is needed.");
ABSL_FLAG(int, http_port, -1,
          "Port for /metrics, /healthz and /readyz, on the host of --listen; 0 takes a free one, -1 "
          "serves none.");
ABSL_FLAG(std::string, port_file, "",
          "File to write the addresses taken to: gRPC in the first line, HTTP in the second.");
ABSL_FLAG(std::string, log_format, "text", "text, or json: one object a line.");
ABSL_FLAG(std::string, log_level, "info", "trace, debug, info, warn, error or off.");
ABSL_FLAG(std::string, tls_cert, "",
          "This member's certificate chain, PEM. With --tls_key and --tls_ca every connection is "
          "mutual TLS.");
ABSL_FLAG(std::string, tls_key, "", "The private key of --tls_cert, PEM.");
ABSL_FLAG(std::string, tls_ca, "", "The authority that signs all members' certificates, PEM.");
ABSL_FLAG(bool, tls_roles, true,
          "With TLS a caller may do only what the roles in its certificate allow (URI:syncline://role/worker and so on); "
          "without it every certificate of the authority may do everything.");
ABSL_FLAG(bool, allow_plaintext, false, "Serve outside loopback without TLS.");

namespace syncline {
namespace {

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// One person's wish to stop may come as several signals: a launcher passes on what the whole group heard.
constexpr absl::Duration kOneWish = absl::Seconds(1);

void EndAtNextSignal(const std::string& at_risk) {
  std::thread([at_risk] {
    const sigset_t signals = StopSignals();
    const timespec none{};
    absl::SleepFor(kOneWish);
    while (sigtimedwait(&signals, nullptr, &none) > 0) {
    }
    int signal;
    while ((signal = sigwaitinfo(&signals, nullptr)) < 0) {
    }
    EndNow(absl::StrCat(strsignal(signal), " again: ending at once. ", at_risk));
  }).detach();
}

[[noreturn]] void Refuse(const std::string& process, const absl::Status& status) {
  std::fprintf(stderr, "%s: %s\n", process.c_str(), std::string(status.message()).c_str());
  std::exit(2);
}

}  // namespace

DaemonOptions InitDaemon(int argc, char** argv, const std::string& process,
                         const std::string& usage) {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  // Debian's Abseil looks for deadlocks at every lock, which costs 2 % of a shard; our tests do that.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  absl::SetProgramUsageMessage(usage);
  const absl::Status environment = SetFlagsFromEnvironment();
  if (!environment.ok()) Refuse(process, environment);
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  if (rest.size() > 1) {
    Refuse(process, absl::InvalidArgumentError(absl::StrCat(
                        "\"", rest[1], "\" is no flag: see ", process, " --helpfull")));
  }
  DaemonOptions options;
  options.listen = absl::GetFlag(FLAGS_listen);
  options.http_port = absl::GetFlag(FLAGS_http_port);
  options.port_file = absl::GetFlag(FLAGS_port_file);
  options.security.cert_file = absl::GetFlag(FLAGS_tls_cert);
  options.security.key_file = absl::GetFlag(FLAGS_tls_key);
  options.security.ca_file = absl::GetFlag(FLAGS_tls_ca);
  options.security.roles = absl::GetFlag(FLAGS_tls_roles);
  options.security.allow_plaintext = absl::GetFlag(FLAGS_allow_plaintext);
  absl::Status status = CheckSecurityOptions(options.security);
  if (status.ok() && (options.http_port < -1 || options.http_port > 65535)) {
    status = absl::InvalidArgumentError(
        absl::StrCat("--http_port is ", options.http_port, ": it must be from -1 to 65535"));
  }
  if (status.ok()) {
    status = ConfigureLogging(process, absl::GetFlag(FLAGS_log_format),
                              absl::GetFlag(FLAGS_log_level));
  }
  if (!status.ok()) Refuse(process, status);
  return options;
}

absl::Status WritePortFile(const std::string& path, const std::string& address,
                           const std::string& http_address) {
  if (path.empty()) return absl::OkStatus();
  return WriteFileAtomically(PosixFileSystem(), path,
                             absl::StrCat(address, "\n", http_address, "\n"));
}

// The protocol is one datagram, so it takes no library.
void NotifyManager(const std::string& state) {
  const char* const path = getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  const size_t length = strlen(path);
  if (length >= sizeof(address.sun_path)) return;
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';  // an abstract name
  const int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  sendto(descriptor, state.data(), state.size(), MSG_NOSIGNAL,
         reinterpret_cast<const sockaddr*>(&address), size);
  close(descriptor);
}

int WaitForSignal(const std::string& at_risk, const std::function<bool()>& finished) {
  NotifyManager("READY=1");
  const sigset_t signals = StopSignals();
  const timespec tenth{0, 100'000'000};
  while (true) {
    const int signal = finished ? sigtimedwait(&signals, nullptr, &tenth)
                                : sigwaitinfo(&signals, nullptr);
    if (signal > 0) {
      NotifyManager("STOPPING=1");
      EndAtNextSignal(at_risk);
      return signal;
    }
    if (finished && finished()) return 0;
  }
}

// Other threads still run, and may log: so no exit(), and the logger stays.
void EndNow(const std::string& why) {
  spdlog::critical("{}", why);
  _exit(1);
}

int ExitCode(const absl::Status& status) {
  if (status.ok()) return 0;
  spdlog::error("{}", std::string(status.message()));
  return 1;
}

}  // namespace syncline
