#ifndef SYNCLINE_SERVER_SHARD_CHUNK_CHECKS_H_
#define SYNCLINE_SERVER_SHARD_CHUNK_CHECKS_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "common/cluster/shard_map.h"
#include "common/tensor/fragments.h"
#include "proto/job.pb.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

struct ChunkGradient {
  uint32_t chunk = 0;
  // Of the weights the gradient was computed on.
  uint64_t version = 0;
  // As many floats as the chunk has, or a row for each key, as `codec` writes them. Looked at until the step is
  // applied in sync.
  Fragments data;
  Codec codec = CODEC_NONE;
  // Of a table's slot: 8 bytes a key, little-endian, none twice.
  Fragments keys{};
};

// Whether what a peer sent fits the chunk it names. Pure; thread-safe. INVALID_ARGUMENT names the tensor.

// Keys that are asked for, or pushed: of a slot they are whole, and all of it; a dense chunk has none.
absl::Status CheckKeys(const TensorSpec& tensor, const ChunkInfo& info, const Fragments& keys);
// Sizes, and what the codec asks for.
absl::Status CheckGradient(const TensorSpec& tensor, const ChunkInfo& info, const ChunkGradient& gradient);
// Floats of a gradient that CheckGradient found right.
size_t GradientElements(const TensorSpec& tensor, const ChunkInfo& info, const ChunkGradient& gradient);
// Neither NaN nor infinity among them.
bool IsFinite(const TensorSpec& tensor, const ChunkInfo& info, const ChunkGradient& gradient);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SHARD_CHUNK_CHECKS_H_
