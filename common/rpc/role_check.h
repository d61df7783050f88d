#ifndef SYNCLINE_COMMON_RPC_ROLE_CHECK_H_
#define SYNCLINE_COMMON_RPC_ROLE_CHECK_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/rpc/roles.h"
#include "common/rpc/security.h"
#include "grpcpp/security/auth_metadata_processor.h"
#include "grpcpp/server_context.h"

namespace syncline {

// Refuses each call whose caller's certificate names none of the roles that may make it, before its service sees it:
// PERMISSION_DENIED names the method, those roles and what the certificate says. For a server with mutual TLS.
// Thread-safe.
class RoleCheck final : public grpc::AuthMetadataProcessor {
 public:
  // `served`: the roles that have any business with this server.
  explicit RoleCheck(Roles served) : served_(served) {}

  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* caller, OutputMetadata* consumed,
                       OutputMetadata* response) override;

 private:
  const Roles served_;
};

// For calls that several roles may make, each for a part of what they do.
class CallerRoles {
 public:
  // Everybody may do everything.
  CallerRoles() = default;
  explicit CallerRoles(const SecurityOptions& security) : checked_(security.checks_roles()) {}

  // PERMISSION_DENIED unless the caller's certificate names one of `roles`. `what`: "the heartbeat of a shard".
  absl::Status Check(const grpc::ServerContext& context, Roles roles, absl::string_view what) const;

 private:
  bool checked_ = false;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_RPC_ROLE_CHECK_H_
