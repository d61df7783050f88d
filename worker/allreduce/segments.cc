#include "worker/allreduce/segments.h"

namespace syncline {

std::vector<Segment> CutSegments(absl::Span<const Client::Chunk> chunks, size_t count) {
  size_t total = 0;
  for (const Client::Chunk& chunk : chunks) total += chunk.elements;
  std::vector<Segment> segments(count);
  size_t passed = 0;
  uint32_t at = 0;
  for (size_t s = 0; s < count; ++s) {
    segments[s].begin = at;
    const size_t until = total * (s + 1) / count;
    while (at < chunks.size() && passed + chunks[at].elements / 2 < until) passed += chunks[at++].elements;
    if (s + 1 == count) at = static_cast<uint32_t>(chunks.size());
    segments[s].end = at;
  }
  return segments;
}

}  // namespace syncline
