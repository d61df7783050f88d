#ifndef SYNCLINE_SERVER_STORE_CHUNK_H_
#define SYNCLINE_SERVER_STORE_CHUNK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/optimizer/update_rule.h"
#include "common/tensor/fragments.h"
#include "proto/job.pb.h"
#include "server/store/cold_rows.h"
#include "server/store/erased_rows.h"
#include "server/store/update_settings.h"

namespace syncline {

// One of the gradients an update is the weighted sum of.
struct Contribution {
  // Of a dense chunk: as many floats as it has. Of rows: as many floats for each key as a row has.
  const Fragments* gradient = nullptr;
  float weight = 1;
  // How they are written; decoded block by block as the update goes.
  Codec codec = CODEC_NONE;
  // Of rows: 8 bytes each, little-endian, none twice. Otherwise null.
  const Fragments* keys = nullptr;
};

// What a chunk consists of, shared with it copy-on-write: the bytes never change, and live as long as a
// copy of the Fragments does.
struct ChunkContent {
  // Of rows those that are in memory.
  Fragments weights;
  // The optimizer's slots, in its own order. Rows have theirs among the weights, and here what was counted of keys that
  // have no row yet, if the table counts (KeyAdmission::State), and the ages of updates (UpdateTimes::State).
  std::vector<Fragments> state;
  // Of rows: what was erased lately. Restoring looks at it no more.
  std::shared_ptr<const ErasedRows> erased{};
  // Of rows: the others; null: there are none. What is restored has none.
  std::shared_ptr<const ColdRows> cold{};
};

// What some updates changed of a table's slot: rows as they are now, and the keys of those that went, 8 bytes each.
struct ChunkChange {
  Fragments rows;
  Fragments gone;
};

class RowChunk;

// A piece of a tensor, what is owned, moved, copied and updated as one: some elements of a dense tensor
// (server/store/dense_chunk), or the rows of a table whose keys fall into one slot (server/store/row_chunk).
// It has a version that counts its updates.
//
// Not thread-safe; what content() gave may be read and dropped on any thread.
class Chunk {
 public:
  virtual ~Chunk() = default;

  // Itself, if it is a table's slot; otherwise null.
  virtual const RowChunk* rows() const { return nullptr; }
  virtual RowChunk* rows() { return nullptr; }

  virtual uint64_t version() const = 0;
  // Of the weights and the optimizer's state.
  virtual size_t bytes() const = 0;
  // Of a dense chunk; rows are read by their keys, or all of them in content().
  virtual Fragments weights() const = 0;
  virtual ChunkContent content() const = 0;
  // Takes another chunk's place in its history. `content` must fit (ChunkMaker::Check); INVALID_ARGUMENT, and nothing
  // changes, for rows that are none.
  virtual absl::Status Restore(uint64_t version, const ChunkContent& content) = 0;

  // What the updates after `version` changed; nothing where that is not known, or is much of the chunk.
  virtual std::optional<ChunkChange> ChangedSince(uint64_t) const { return std::nullopt; }
  // Brings another chunk's copy, as `change` begins with, to `version`. INVALID_ARGUMENT for rows that are
  // none, DATA_LOSS where rows that are there cannot be read from disk; nothing changes then.
  virtual absl::Status Merge(uint64_t, const ChunkChange&) {
    return absl::InvalidArgumentError("a dense chunk comes whole, never as a change");
  }

  // One update with the sum of `gradients`, in the order given. Rows must have been fetched.
  virtual void Update(absl::Span<const Contribution> gradients, const UpdateSettings& settings) = 0;

  // The squared norm of the sum of `gradients`, as it is, in an order that depends on the number of
  // elements alone. Rows do not count.
  virtual double SquaredNorm(absl::Span<const Contribution> gradients) const = 0;

  // The same update in two passes, for rules that look at whole tensors (UpdateRule::layer_wise); what has no
  // such rule does all of it in the first.
  virtual LayerSums Prepare(absl::Span<const Contribution> gradients, const UpdateSettings& settings) = 0;
  virtual void Finish(const LayerSums& tensor, const UpdateSettings& settings) = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_CHUNK_H_
