#include "common/codec/tensor_codecs.h"

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/codec/row_codec.h"

namespace syncline {
namespace {

TensorCodecs UsualCodecs(const JobManifest& job) {
  TensorCodecs usual;
  if (job.push_codec() > CODEC_NONE) usual.push = job.push_codec();
  if (job.pull_codec() > CODEC_NONE) usual.pull = job.pull_codec();
  return usual;
}

void TakeOwn(const TensorCodec& own, TensorCodecs* codecs) {
  if (own.has_push()) codecs->push = own.push();
  if (own.has_pull()) codecs->pull = own.pull();
}

}  // namespace

TensorCodecs CodecsOfRows(const JobManifest& job, const Table& table) {
  const auto of_rows = [&](Codec usual) {
    const bool shorter = CodesRows(usual) && EncodedRowBytes(usual, table.dim()) < table.dim() * sizeof(float);
    return shorter ? usual : CODEC_NONE;
  };
  const TensorCodecs usual = UsualCodecs(job);
  TensorCodecs codecs{of_rows(usual.push), of_rows(usual.pull)};
  for (const TensorCodec& own : job.tensor_codecs()) {
    if (own.tensor() == table.name()) TakeOwn(own, &codecs);
  }
  return codecs;
}

absl::StatusOr<std::vector<TensorCodecs>> CodecsOf(const JobManifest& job,
                                                   absl::Span<const TensorSpec> tensors) {
  std::vector<TensorCodecs> codecs(tensors.size(), UsualCodecs(job));
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].has_table()) codecs[i] = CodecsOfRows(job, tensors[i].table());
  }
  for (const TensorCodec& own : job.tensor_codecs()) {
    const auto tensor = std::find_if(tensors.begin(), tensors.end(), [&](const TensorSpec& t) {
      return t.name() == own.tensor();
    });
    if (tensor == tensors.end()) {
      const auto name = [](std::string* out, const TensorSpec& t) { out->append(t.name()); };
      return absl::InvalidArgumentError(
          absl::StrCat("tensor_codecs: there is no tensor or table ", own.tensor(), "; there are ",
                       absl::StrJoin(tensors, ", ", name)));
    }
    TakeOwn(own, &codecs[static_cast<size_t>(tensor - tensors.begin())]);
  }
  return codecs;
}

}  // namespace syncline
