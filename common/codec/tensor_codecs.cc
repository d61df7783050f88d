#include "common/codec/tensor_codecs.h"

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace syncline {

absl::StatusOr<std::vector<TensorCodecs>> CodecsOf(const JobManifest& job,
                                                   absl::Span<const TensorSpec> tensors) {
  TensorCodecs usual;
  if (job.push_codec() > CODEC_NONE) usual.push = job.push_codec();
  if (job.pull_codec() > CODEC_NONE) usual.pull = job.pull_codec();
  std::vector<TensorCodecs> codecs(tensors.size(), usual);
  for (const TensorCodec& own : job.tensor_codecs()) {
    const auto tensor = std::find_if(tensors.begin(), tensors.end(), [&](const TensorSpec& t) {
      return t.name() == own.tensor();
    });
    if (tensor == tensors.end()) {
      const auto name = [](std::string* out, const TensorSpec& t) { out->append(t.name()); };
      return absl::InvalidArgumentError(
          absl::StrCat("tensor_codecs: the model has no tensor ", own.tensor(), "; it has ",
                       absl::StrJoin(tensors, ", ", name)));
    }
    TensorCodecs& codec = codecs[static_cast<size_t>(tensor - tensors.begin())];
    if (own.has_push()) codec.push = own.push();
    if (own.has_pull()) codec.pull = own.pull();
  }
  return codecs;
}

}  // namespace syncline
