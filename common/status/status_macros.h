#ifndef SYNCLINE_COMMON_STATUS_STATUS_MACROS_H_
#define SYNCLINE_COMMON_STATUS_STATUS_MACROS_H_

// Leave the current function when something failed. It must return absl::Status or
// absl::StatusOr<T>.
//
//   SYNCLINE_RETURN_IF_ERROR(file->Sync());
//   SYNCLINE_ASSIGN_OR_RETURN(const JobManifest job, ReadManifest(path));

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns the status of `expression` if it is not OK.
#define SYNCLINE_RETURN_IF_ERROR(expression)                                  \
  do {                                                                        \
    if (absl::Status syncline_status = (expression); !syncline_status.ok()) { \
      return syncline_status;                                                 \
    }                                                                         \
  } while (false)

// Assigns the value of `expression`, a StatusOr, to `left`, or returns its status. `left` may
// declare a variable; for a type with a comma write `auto`. Expands to
// several statements: not for the body of an `if` without braces.
#define SYNCLINE_ASSIGN_OR_RETURN(left, expression) \
  SYNCLINE_ASSIGN_OR_RETURN_IMPL_(SYNCLINE_CONCAT_(syncline_or_, __LINE__), left, expression)

#define SYNCLINE_ASSIGN_OR_RETURN_IMPL_(result, left, expression) \
  auto result = (expression);                                     \
  if (!result.ok()) return std::move(result).status();            \
  left = *std::move(result)

#define SYNCLINE_CONCAT_(a, b) SYNCLINE_CONCAT_INNER_(a, b)
#define SYNCLINE_CONCAT_INNER_(a, b) a##b

#endif  // SYNCLINE_COMMON_STATUS_STATUS_MACROS_H_
