#include "common/cluster/tables.h"

#include "absl/strings/str_cat.h"

namespace syncline {

std::string Difference(const Table& was, const Table& is) {
  const auto differs = [](const char* what, const auto& before, const auto& now) {
    return absl::StrCat(what, " is ", now, ", and was ", before);
  };
  if (was.dim() != is.dim()) return differs("dim", was.dim(), is.dim());
  if (was.slots() != is.slots()) return differs("slots", was.slots(), is.slots());
  if (was.storage() != is.storage()) {
    return differs("storage", RowStorage_Name(was.storage()), RowStorage_Name(is.storage()));
  }
  if (was.optimizer().kind() != is.optimizer().kind()) {
    return differs("optimizer.kind", RowOptimizerKind_Name(was.optimizer().kind()),
                   RowOptimizerKind_Name(is.optimizer().kind()));
  }
  if (was.optimizer().exact() != is.optimizer().exact()) {
    return differs("optimizer.exact", was.optimizer().exact(), is.optimizer().exact());
  }
  return "";
}

}  // namespace syncline
