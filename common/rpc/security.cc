#include "common/rpc/security.h"

#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

absl::StatusOr<std::string> ReadPem(absl::string_view flag, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream contents;
  if (!file || !(contents << file.rdbuf())) {
    return absl::NotFoundError(
        absl::StrCat(flag, ": cannot read ", path, "; it must be a PEM file this user may read"));
  }
  if (!absl::StrContains(contents.str(), "-----BEGIN ")) {
    return absl::InvalidArgumentError(
        absl::StrCat(flag, ": ", path, " is not PEM (it has no -----BEGIN line)"));
  }
  return contents.str();
}

struct Pem {
  std::string cert;
  std::string key;
  std::string ca;
};

absl::StatusOr<Pem> ReadAll(const SecurityOptions& options) {
  Pem pem;
  SYNCLINE_ASSIGN_OR_RETURN(pem.cert, ReadPem("--tls_cert", options.cert_file));
  SYNCLINE_ASSIGN_OR_RETURN(pem.key, ReadPem("--tls_key", options.key_file));
  SYNCLINE_ASSIGN_OR_RETURN(pem.ca, ReadPem("--tls_ca", options.ca_file));
  return pem;
}

}  // namespace

absl::Status CheckSecurityOptions(const SecurityOptions& options) {
  const int given =
      !options.cert_file.empty() + !options.key_file.empty() + !options.ca_file.empty();
  if (given == 0 || given == 3) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "--tls_cert, --tls_key and --tls_ca go together: give all three, or none");
}

bool IsLoopback(absl::string_view address) {
  if (absl::StartsWith(address, "[::1]:") || absl::StartsWith(address, "localhost:")) return true;
  const std::vector<absl::string_view> host_port = absl::StrSplit(address, ':');
  if (host_port.size() != 2) return false;
  const std::vector<absl::string_view> parts = absl::StrSplit(host_port[0], '.');
  if (parts.size() != 4 || parts[0] != "127") return false;
  for (absl::string_view part : parts) {
    if (part.empty() || part.find_first_not_of("0123456789") != absl::string_view::npos) {
      return false;
    }
  }
  return true;
}

absl::Status CheckListenAddress(absl::string_view address, const SecurityOptions& options) {
  if (options.tls() || options.allow_plaintext || IsLoopback(address)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "--listen=", address, " is outside loopback and there is no TLS: give --tls_cert, --tls_key "
      "and --tls_ca, or --allow_plaintext if everyone on that network may read and change the "
      "weights"));
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsFor(
    const SecurityOptions& options) {
  SYNCLINE_RETURN_IF_ERROR(CheckSecurityOptions(options));
  if (!options.tls()) return grpc::InsecureServerCredentials();
  SYNCLINE_ASSIGN_OR_RETURN(Pem pem, ReadAll(options));
  grpc::SslServerCredentialsOptions ssl(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  ssl.pem_root_certs = pem.ca;
  ssl.pem_key_cert_pairs.push_back({pem.key, pem.cert});
  return grpc::SslServerCredentials(ssl);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ChannelCredentialsFor(
    const SecurityOptions& options) {
  SYNCLINE_RETURN_IF_ERROR(CheckSecurityOptions(options));
  if (!options.tls()) return grpc::InsecureChannelCredentials();
  SYNCLINE_ASSIGN_OR_RETURN(Pem pem, ReadAll(options));
  return grpc::SslCredentials({pem.ca, pem.key, pem.cert});
}

}  // namespace syncline
