#ifndef SYNCLINE_COMMON_RPC_ROLES_H_
#define SYNCLINE_COMMON_RPC_ROLES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace syncline {

// What a certificate lets its owner do. It names roles as URIs among its subject's alternative names, one or several:
// syncline://role/worker.
using Roles = uint32_t;
inline constexpr Roles kCoordinatorRole = 1;
inline constexpr Roles kShardRole = 2;
inline constexpr Roles kWorkerRole = 4;
inline constexpr Roles kOperatorRole = 8;  // whoever uses the command line
inline constexpr Roles kReaderRole = 16;   // whoever only reads what servers of checkpoints have
inline constexpr Roles kEveryRole = 31;
// Any certificate of the authority will do, also one that names no role.
inline constexpr Roles kAnybody = ~Roles{0};

// The roles that may call a method, "/syncline.Coordinator/Lease"; nothing for one that is not known.
std::optional<Roles> RolesFor(absl::string_view method);

// The roles that the URIs of a certificate name; what is no role of ours names none.
Roles RolesIn(const std::vector<absl::string_view>& uris);

// For messages: "coordinator or worker".
std::string NamesOf(Roles roles);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_RPC_ROLES_H_
