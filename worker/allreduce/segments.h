#ifndef SYNCLINE_WORKER_ALLREDUCE_SEGMENTS_H_
#define SYNCLINE_WORKER_ALLREDUCE_SEGMENTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "worker/client/client.h"

namespace syncline {

// A model's tensors in as many parts as processes sum them: each a run of chunks, of about as many floats.
struct Segment {
  uint32_t begin = 0;  // chunks
  uint32_t end = 0;
};

// Cuts chunks into `count` segments. A segment ends where the floats so far come closest to its share of all.
std::vector<Segment> CutSegments(absl::Span<const Client::Chunk> chunks, size_t count);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_ALLREDUCE_SEGMENTS_H_
