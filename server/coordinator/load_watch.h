#ifndef SYNCLINE_SERVER_COORDINATOR_LOAD_WATCH_H_
#define SYNCLINE_SERVER_COORDINATOR_LOAD_WATCH_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/cluster/load_balance.h"
#include "common/cluster/rebalance.h"
#include "common/cluster/shard_map.h"
#include "proto/coordinator.pb.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// What shards have to do, by what their heartbeats say, and whether it is time to move what is hot: when the busiest
// shard had more than `uneven` times the mean to do for so many intervals in a row, chunks move until it has at most `even`
// times the mean. What lies between the two, and that intervals are counted anew when the map has changed, keeps
// chunks from moving to and fro. Pure; not thread-safe.
class LoadWatch {
 public:
  struct Options {
    absl::Duration interval = absl::Seconds(5);
    int intervals = 3;
    double uneven = 1.25;
    double even = 1.1;
    // Mean bytes a second of a shard below which nobody is busy.
    double least = 64 << 10;
    // Bytes that may move within a minute; if more than that has to, the next follow later.
    uint64_t bytes_a_minute = uint64_t{256} << 20;
  };

  explicit LoadWatch(const Options& options) : options_(options) {}

  // A heartbeat of the shard at an address.
  void Report(const std::string& shard, const ShardLoad& load);
  // Looks at the interval that has passed, if one has. Called often, with the map in force.
  void Advance(const ShardMap& map, absl::Time now);
  // Bytes a second in the last interval; 0: not known.
  double load(const std::string& shard) const;

  // The maps to go through to where load is even; none if it is even enough, has not been uneven for long enough, or
  // nothing that could move would help. Intervals count anew.
  std::vector<ShardMap> Plan(const ShardMap& map, const RebalanceOptions& options, absl::Time now);

 private:
  // Of a shard: sums in an interval, or bytes a second of the last one.
  struct Load {
    double seconds = 0;
    double bytes = 0;
    double copy_bytes = 0;
    struct Chunk {
      double bytes = 0;
      uint64_t held_bytes = 0;
    };
    std::map<uint32_t, Chunk> hottest;
  };

  void BeginInterval(const ShardMap& map, absl::Time now);
  bool IsUneven(const ShardMap& map) const;
  std::vector<LoadedUnit> Loaded(const ShardMap& map, const std::vector<ChunkUnit>& units);

  const Options options_;
  std::map<std::string, Load> sums_;   // by address
  std::map<std::string, Load> rates_;  // likewise
  uint64_t epoch_ = 0;                 // of the map that the interval is counted by
  absl::Time begun_ = absl::InfinitePast();
  int uneven_ = 0;  // intervals in a row
  absl::Time not_before_ = absl::InfinitePast();
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_LOAD_WATCH_H_
