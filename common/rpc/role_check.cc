#include "common/rpc/role_check.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/rpc/grpc_status.h"
#include "grpc/grpc_security_constants.h"

namespace syncline {
namespace {

absl::Status CheckRoles(const grpc::AuthContext& caller, Roles may, absl::string_view what) {
  std::vector<absl::string_view> uris;
  for (const grpc::string_ref& uri : caller.FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME)) {
    uris.emplace_back(uri.data(), uri.size());
  }
  if (RolesIn(uris) & may) return absl::OkStatus();
  const std::string says =
      uris.empty() ? "has no URI" : absl::StrCat("says ", absl::StrJoin(uris, ", "));
  return absl::PermissionDeniedError(absl::StrCat(
      what, " is for ", NamesOf(may), ": the caller's certificate must say so (URI:syncline://role/NAME among its "
      "subject's alternative names) and ", says));
}

}  // namespace

grpc::Status RoleCheck::Process(const InputMetadata& metadata, grpc::AuthContext* caller, OutputMetadata*,
                                OutputMetadata*) {
  const auto path = metadata.find(":path");
  const absl::string_view method =
      path == metadata.end() ? "" : absl::string_view(path->second.data(), path->second.size());
  const auto callers = RolesFor(method);
  if (!callers) return {grpc::StatusCode::UNIMPLEMENTED, absl::StrCat("there is no method ", method)};
  if (*callers == kAnybody) return grpc::Status::OK;
  if ((*callers & served_) == 0) {
    return {grpc::StatusCode::PERMISSION_DENIED, absl::StrCat(method, " is not for this server")};
  }
  return ToGrpcStatus(CheckRoles(*caller, *callers & served_, method));
}

absl::Status CallerRoles::Check(const grpc::ServerContext& context, Roles roles, absl::string_view what) const {
  return checked_ ? CheckRoles(*context.auth_context(), roles, what) : absl::OkStatus();
}

}  // namespace syncline
