#ifndef SYNCLINE_COMMON_RPC_SECURITY_H_
#define SYNCLINE_COMMON_RPC_SECURITY_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"

namespace syncline {

// How a daemon proves who it is and what it lets in. Either all three files are given, and every
// connection is mutual TLS, or none, and only loopback is served unless `allow_plaintext`.
struct SecurityOptions {
  std::string cert_file;  // --tls_cert: this member's certificate chain, PEM
  std::string key_file;   // --tls_key: its private key, PEM
  std::string ca_file;    // --tls_ca: who signs members' certificates, PEM
  bool allow_plaintext = false;
  // --tls_roles: a caller may do what the roles in its certificate allow (common/rpc/roles.h), else everything.
  bool roles = true;

  bool tls() const { return !cert_file.empty(); }
  bool checks_roles() const { return tls() && roles; }
};

// INVALID_ARGUMENT where one or two of the three files are named.
absl::Status CheckSecurityOptions(const SecurityOptions& options);

// Whether `address` ("host:port", "[::1]:port") names a loopback interface by number or as
// localhost.
bool IsLoopback(absl::string_view address);

// FAILED_PRECONDITION for a listener outside loopback without TLS, unless allowed.
absl::Status CheckListenAddress(absl::string_view address, const SecurityOptions& options);

// Credentials made from the files. NOT_FOUND or INVALID_ARGUMENT names the flag and the file.
// Clients' certificates are required and verified.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsFor(
    const SecurityOptions& options);
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ChannelCredentialsFor(
    const SecurityOptions& options);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_RPC_SECURITY_H_
