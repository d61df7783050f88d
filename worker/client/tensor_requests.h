#ifndef SYNCLINE_WORKER_CLIENT_TENSOR_REQUESTS_H_
#define SYNCLINE_WORKER_CLIENT_TENSOR_REQUESTS_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "common/cluster/ids.h"
#include "common/codec/tensor_codecs.h"
#include "common/memory/local_link.h"
#include "common/wire/chunk_message.h"
#include "proto/parameter_server.pb.h"
#include "worker/client/gradient_encoder.h"
#include "worker/client/held_weights.h"
#include "worker/client/router.h"
#include "worker/client/shard_connection.h"
#include "worker/client/slot_rows.h"

namespace syncline {

// Versions of the weights a worker computes with, by chunk.
using ChunkVersions = std::vector<std::atomic<uint64_t>>;

// Makes the messages of a worker's pushes and pulls: for the network, around the tensors' memory and
// coded as the job says; for a link, naming places in lent memory, where all of it is lent.
//
// Thread-safe. Tensors are given by where they begin, by tensor; what is made looks at them each time
// a request is sent.
class TensorRequests {
 public:
  using MakeRequest = ShardConnection::MakeRequest;
  // Where a pull's weights go.
  struct PullTo {
    Clock clock = 0;
    bool observer = false;
    absl::Span<float* const> tensors;
    // Nothing was written there but by pulls.
    bool untouched = false;
    // Of tables, by tensor; empty where no rows are pulled.
    absl::Span<const std::shared_ptr<const SlotRows>> rows = {};
    // Rows come with their optimizer's state, which counts as a part of them.
    bool with_state = false;
  };
  struct PushFrom {
    Clock clock = 0;
    absl::Span<const float* const> tensors;
    // Of tables, by tensor; empty where no rows are pushed.
    absl::Span<const std::shared_ptr<const SlotRows>> rows = {};
  };

  // `versions` and `held` must outlive this and what it makes. A request names the map of its group.
  TensorRequests(const Sender& sender, const std::vector<ChunkInfo>& chunks,
                 const std::vector<TensorCodecs>& codecs, uint64_t seed,
                 const ChunkVersions* versions, const HeldWeights* held);

  // What pushes are encoded with.
  GradientEncoder* encoder() { return &encoder_; }

  MakeRequest Push(const PushFrom& push, const Router::Group& group);
  MakeRequest Pull(const PullTo& pull, const Router::Group& group);
  // `pushed` may be null: nothing is pushed.
  MakeRequest PushPull(const PushFrom& push, const Router::Group* pushed,
                       const CommitRequest& commit, const PullTo& pull,
                       const Router::Group& pulled);

 private:
  using Chunk = LocalLink::Chunk;
  // A table's slot, and what is pushed or pulled of it; null for other chunks.
  struct SlotOf {
    std::shared_ptr<const SlotRows> rows;
    uint32_t slot = 0;
  };
  struct Gradients {
    std::vector<WireChunk> chunks;  // with `data` where the encoding is made once
    std::vector<Chunk> from;
    std::vector<SlotOf> rows;  // by chunk, or none
    bool coded = false;
  };
  struct Weights {
    PullRequest request;
    std::vector<Chunk> to;
    std::vector<SlotOf> rows;  // by chunk, or none
  };

  template <typename T>
  std::vector<Chunk> ChunksOf(const Router::Group& group, absl::Span<T* const> tensors) const;
  // Those of the group, all of whose chunks are slots of tables; or none.
  std::vector<SlotOf> SlotsOf(absl::Span<const std::shared_ptr<const SlotRows>> rows, const Router::Group& group) const;
  Gradients GradientsOf(const PushFrom& push, const Router::Group& group);
  Weights WeightsOf(const PullTo& pull, const Router::Group& group) const;
  Sender SenderBy(const Router::Group& group) const;
  PushRequest Head(Clock clock, const Router::Group& group) const;
  // The chunks to send, and their segment. Nothing: not over this link.
  std::optional<std::vector<WireChunk>> Place(const Gradients& gradients,
                                              const std::shared_ptr<const void>& owner,
                                              const LocalLink* link, PushHeader* header);
  static std::optional<PullRequest> Place(const Weights& weights, const LocalLink* link);
  // Names where the link's peer sees the slots' rows; false if they are not all lent.
  static bool PlaceRows(const std::vector<SlotOf>& slots, const LocalLink& link,
                        google::protobuf::RepeatedPtrField<LentRows>* places);

  const Sender sender_;
  const std::vector<ChunkInfo> chunks_;
  const std::vector<TensorCodecs> codecs_;  // by tensor
  const ChunkVersions* const versions_;
  const HeldWeights* const held_;
  GradientEncoder encoder_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_TENSOR_REQUESTS_H_
