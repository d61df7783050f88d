#ifndef SYNCLINE_WORKER_CLIENT_CACHED_ROWS_H_
#define SYNCLINE_WORKER_CLIENT_CACHED_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "common/cluster/ids.h"
#include "common/optimizer/row_rule.h"

namespace syncline {

// Rows of a table that a worker has pulled and keeps, with their optimizer's state, for the steps that they are good
// for. What the worker pushes is applied to them here as the shard does there, by the same rule in the same arithmetic:
// so a row has all of the worker's own updates, in their order, and the other workers' up to when it was pulled.
//
// When it is full, rows give way that were not asked for since the last time round (second chance). Thread-safe.
class CachedRows {
 public:
  struct Options {
    size_t rows = 1;  // at most
    size_t dim = 1;
    // Does not catch up, nor look at an update's number.
    std::shared_ptr<const RowRule> rule{};
    float learning_rate = 0;
    float clip_value = 0;  // 0: none
  };
  explicit CachedRows(Options options);

  // Floats of a row with its state: the weights, and then each of the state's arrays.
  size_t width() const { return width_; }

  // The weights of those of `keys` that are here and good for step `clock`, each to its place in `to` [keys, dim]. Adds
  // the places of the others to `missing`.
  void Take(Clock clock, absl::Span<const uint64_t> keys, float* to, std::vector<uint32_t>* missing);

  // Taken before rows are asked for from shards, so that they are not kept if this worker pushed meanwhile: they may
  // have what it pushed, or lack it.
  struct Ticket {
    uint64_t pushes = 0;
    bool idle = false;
  };
  Ticket BeginPull() const;
  // Keeps rows [keys, width()] that were asked for with `ticket`, for pulls up to step `until`.
  void Keep(const Ticket& ticket, absl::Span<const uint64_t> keys, const float* rows, Clock until);

  // This worker pushes the gradients [keys, dim], each key once.
  void BeginPush(absl::Span<const uint64_t> keys, const float* gradients);
  // It is over. Not `applied`: whether shards took it is not known, or they left it out; all rows are dropped.
  void EndPush(bool applied);

  struct Counts {
    uint64_t wanted = 0;
    uint64_t found = 0;
  };
  Counts counts() const;

 private:
  struct Entry {
    uint64_t key = 0;
    Clock until = 0;
    bool asked = false;  // since the hand passed
  };
  float* Row(uint32_t place) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return &floats_[place * width_]; }
  void Apply(uint32_t place, const float* gradient) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A place for a new row.
  uint32_t MakeRoom() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Options options_;
  const size_t width_;
  mutable absl::Mutex mu_;
  absl::flat_hash_map<uint64_t, uint32_t> places_ ABSL_GUARDED_BY(mu_);
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mu_);
  std::vector<float> floats_ ABSL_GUARDED_BY(mu_);  // [entries, width]
  std::vector<float> clipped_ ABSL_GUARDED_BY(mu_);
  size_t hand_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t pushes_ ABSL_GUARDED_BY(mu_) = 0;  // begun
  uint64_t over_ ABSL_GUARDED_BY(mu_) = 0;
  Counts counts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_CACHED_ROWS_H_
