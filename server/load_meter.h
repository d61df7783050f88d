#ifndef SYNCLINE_SERVER_LOAD_METER_H_
#define SYNCLINE_SERVER_LOAD_METER_H_

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "proto/coordinator.pb.h"
#include "server/shard/chunk_table.h"

namespace syncline {

// Tells from what chunks have cost so far what they cost since it was asked last. Not thread-safe.
class LoadMeter {
 public:
  static constexpr int kHottest = 64;

  // `seconds`: since the call before. Of chunks as hot as each other the lower numbers come first.
  ShardLoad Next(const std::vector<ChunkWork>& work, double seconds);

 private:
  std::unordered_map<uint32_t, uint64_t> before_;  // bytes, by chunk
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_LOAD_METER_H_
