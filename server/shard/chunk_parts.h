#ifndef SYNCLINE_SERVER_SHARD_CHUNK_PARTS_H_
#define SYNCLINE_SERVER_SHARD_CHUNK_PARTS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/cluster/shard_map.h"
#include "common/tensor/fragments.h"
#include "server/shard/shard_snapshot.h"
#include "server/store/chunk.h"
#include "server/store/chunk_maker.h"

namespace syncline {

// Puts together a chunk that comes in parts (ChunkSnapshot::part). Rows are put where they belong as they come, so that
// no more memory is taken than the slot itself. Not thread-safe.
class ChunkParts {
 public:
  // `maker` must outlive it.
  ChunkParts(const ChunkInfo& info, const ChunkMaker* maker) : info_(info), maker_(maker) {}

  // Takes the next part. UNAVAILABLE for one that is not: then all of them are to come again, from the first, which
  // begins anew. INVALID_ARGUMENT for rows that are none.
  absl::Status Add(uint64_t epoch, const ChunkSnapshot& part);
  // Whether that was the last.
  bool complete() const { return of_ > 0 && next_ == of_; }
  // The chunk, with the version of the parts. Begins anew. INVALID_ARGUMENT if they do not make one.
  absl::StatusOr<std::unique_ptr<Chunk>> Take();

 private:
  void Clear() { *this = ChunkParts(info_, maker_); }
  absl::Status AddBytes(const Fragments& bytes);
  absl::StatusOr<std::unique_ptr<Chunk>> Finish();

  ChunkInfo info_;
  const ChunkMaker* maker_;
  uint64_t epoch_ = 0;
  uint64_t version_ = 0;
  uint64_t next_ = 0;
  uint64_t of_ = 0;
  std::unique_ptr<Chunk> chunk_;   // a slot, with the rows so far
  std::vector<Fragments> pieces_;  // of any other chunk
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SHARD_CHUNK_PARTS_H_
