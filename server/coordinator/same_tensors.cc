#include "server/coordinator/same_tensors.h"

#include "absl/strings/str_cat.h"
#include "common/cluster/tables.h"
#include "google/protobuf/util/message_differencer.h"

namespace syncline {

using google::protobuf::util::MessageDifferencer;

absl::Status CheckSameTensors(const ShardMap& have, absl::Span<const TensorSpec> want,
                              const std::string& where) {
  if (have.tensors_size() != static_cast<int>(want.size())) {
    return absl::FailedPreconditionError(absl::StrCat("the model has ", want.size(), " tensors, ",
                                                      where, " ", have.tensors_size()));
  }
  for (int i = 0; i < have.tensors_size(); ++i) {
    if (MessageDifferencer::Equals(have.tensors(i), want[i])) continue;
    if (IsTable(have.tensors(i)) && have.tensors(i).name() == want[i].name()) {
      const std::string difference = Difference(have.tensors(i).table(), want[i].table());
      if (difference.empty()) continue;
      return absl::FailedPreconditionError(
          absl::StrCat("table ", want[i].name(), ": ", difference, " in ", where));
    }
    return absl::FailedPreconditionError(
        absl::StrCat("tensor ", want[i].name(), " is not the one ", where, " has (",
                     have.tensors(i).name(), "): its name, shape or initializer differs"));
  }
  return absl::OkStatus();
}

}  // namespace syncline
