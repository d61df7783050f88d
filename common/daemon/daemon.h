#ifndef SYNCLINE_COMMON_DAEMON_DAEMON_H_
#define SYNCLINE_COMMON_DAEMON_DAEMON_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "common/rpc/security.h"

namespace syncline {

// What the mains of all daemons share. A program that links this library has the flags --listen,
// --http_port, --log_format, --log_level, --port_file, --tls_cert, --tls_key, --tls_ca, --tls_roles and
// --allow_plaintext; each may also be set by the environment (SYNCLINE_LOG_LEVEL).

struct DaemonOptions {
  std::string listen;      // --listen, host:port
  int http_port = -1;      // --http_port; 0 takes a free one, -1 serves no page
  std::string port_file;   // --port_file; empty: none
  SecurityOptions security;
};

// Parses environment and flags, sets up logging, blocks SIGTERM and SIGINT in this and all later
// threads. Prints the error and exits with 2 when a flag is wrong or an argument is left over.
// Call first in main().
DaemonOptions InitDaemon(int argc, char** argv, const std::string& process,
                         const std::string& usage);

// Writes "address\nhttp_address\n" to `path` atomically, so that a launcher that sees the file can
// read it whole. `http_address` may be empty. Nothing to do when `path` is empty.
absl::Status WritePortFile(const std::string& path, const std::string& address,
                           const std::string& http_address);

// Tells the service manager that started this process how it is ("READY=1", "STOPPING=1"), as
// sd_notify(3) says. Does nothing where there is none (no NOTIFY_SOCKET in the environment).
void NotifyManager(const std::string& state);

// Tells the service manager that the daemon is ready, and later that it is stopping. Waits for SIGTERM,
// SIGINT or until `finished` says true (asked ten times a second; may be null).
// Returns the signal's number, or 0. A further signal that comes a second or more after the first ends the
// process by EndNow, whatever it waits for by then; `at_risk` says in the log what that may cost.
int WaitForSignal(const std::string& at_risk, const std::function<bool()>& finished = nullptr);

// Logs `why` and ends the process with 1: nothing is handed on, written or closed.
[[noreturn]] void EndNow(const std::string& why);

// Logs the error and returns main()'s exit code: 0 when ok, 1 otherwise.
int ExitCode(const absl::Status& status);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_DAEMON_DAEMON_H_
