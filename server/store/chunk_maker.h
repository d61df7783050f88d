#ifndef SYNCLINE_SERVER_STORE_CHUNK_MAKER_H_
#define SYNCLINE_SERVER_STORE_CHUNK_MAKER_H_

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/cluster/shard_map.h"
#include "common/optimizer/update_rule.h"
#include "proto/job.pb.h"
#include "proto/parameter_server.pb.h"
#include "server/store/chunk.h"
#include "server/store/row_format.h"
#include "server/store/table_memory.h"

namespace syncline {

// Makes the chunks of a job's tensors and tables as they begin. Immutable, hence thread-safe; it must outlive what it
// makes.
class ChunkMaker {
 public:
  // INVALID_ARGUMENT for an optimizer out of range, naming the field. `memory` is what the tables share; null: no limit.
  // `seconds`: RowChunk.
  static absl::StatusOr<std::unique_ptr<const ChunkMaker>> Create(const JobManifest& job, const ShardMap& map,
                                                                  std::shared_ptr<TableMemory> memory = nullptr,
                                                                  std::function<double()> seconds = nullptr);
  ~ChunkMaker();

  std::unique_ptr<Chunk> Make(const ChunkInfo& info) const;
  // One that goes on from where another was; `content` must fit (Check), errors are Chunk::Restore's.
  absl::StatusOr<std::unique_ptr<Chunk>> MakeFrom(const ChunkInfo& info, uint64_t version,
                                                  const ChunkContent& content) const;
  // Whether a chunk can be restored from `content`; INVALID_ARGUMENT says what is wrong with it.
  absl::Status Check(const ChunkInfo& info, const ChunkContent& content) const;

  // The learning rate before any schedule.
  double base_rate(const ChunkInfo& info) const;
  // Floats of a row with its state; 0 for chunks of dense tensors.
  size_t RowWidth(const ChunkInfo& info) const;
  // Of dense chunks.
  bool layer_wise() const { return rule_->layer_wise(); }
  int state_slots() const { return rule_->state_slots(); }

 private:
  struct TableMaker;
  ChunkMaker(const JobManifest& job, const ShardMap& map, std::unique_ptr<const UpdateRule> rule,
             std::shared_ptr<TableMemory> memory, std::function<double()> seconds);

  const uint64_t seed_;
  const bool copied_;  // slots remember what changed, for copies of them
  const double base_rate_;
  const std::vector<TensorSpec> tensors_;
  const std::unique_ptr<const UpdateRule> rule_;
  const std::shared_ptr<TableMemory> memory_;
  const std::function<double()> seconds_;
  // By tensor; null for dense ones.
  std::vector<std::unique_ptr<const TableMaker>> tables_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_CHUNK_MAKER_H_
