#ifndef SYNCLINE_COMMON_CODEC_TENSOR_CODECS_H_
#define SYNCLINE_COMMON_CODEC_TENSOR_CODECS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/job.pb.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// How a tensor travels. CODEC_NONE, never CODEC_UNSPECIFIED, where nothing is coded.
struct TensorCodecs {
  Codec push = CODEC_NONE;
  Codec pull = CODEC_NONE;
};

// Of a table's rows: what the job's tensor_codecs say of it, else push_codec and pull_codec where rows have them (not topk
// and onebit) and become shorter (not single floats in int8).
TensorCodecs CodecsOfRows(const JobManifest& job, const Table& table);

// Of each tensor: what the job's tensor_codecs say of it, else push_codec and pull_codec; of tables as above.
// INVALID_ARGUMENT if tensor_codecs names a tensor that neither the model nor the job's tables have.
absl::StatusOr<std::vector<TensorCodecs>> CodecsOf(const JobManifest& job,
                                                   absl::Span<const TensorSpec> tensors);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CODEC_TENSOR_CODECS_H_
