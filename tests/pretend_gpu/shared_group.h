#ifndef SYNCLINE_TESTS_PRETEND_GPU_SHARED_GROUP_H_
#define SYNCLINE_TESTS_PRETEND_GPU_SHARED_GROUP_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "worker/backend/groups.h"

namespace syncline {

// A group of devices in a file that its processes, or threads, map. Each rank has a counter of what it has said, and of
// what it has read, and room for the floats of one call. Sums are made in the order of the ranks.
class SharedGroup {
 public:
  // Null: there is no such file.
  static SharedGroup* Open(const std::string& path, int ranks, int rank);
  ~SharedGroup();
  SharedGroup(const SharedGroup&) = delete;
  SharedGroup& operator=(const SharedGroup&) = delete;

  // All have come.
  bool complete() const;
  // One call of all ranks, number `call` from 1. True: it is done here; false: ask again.
  bool Reduce(uint64_t call, const std::vector<BackendGroupPart>& parts);
  bool Broadcast(uint64_t call, const std::vector<BackendGroupPart>& parts);
  // Whether a call has that much room.
  static bool Fits(const BackendGroupPart* parts, size_t count);

 private:
  struct Rank;
  SharedGroup(Rank* memory, int ranks, int rank) : memory_(memory), ranks_(ranks), rank_(rank) {}
  // Puts this rank's floats where others find them; false while somebody reads those of the call before.
  bool Say(uint64_t call, const std::vector<BackendGroupPart>& parts);
  bool AllHaveSaid(uint64_t call) const;

  Rank* const memory_;
  const int ranks_, rank_;
};

}  // namespace syncline

#endif  // SYNCLINE_TESTS_PRETEND_GPU_SHARED_GROUP_H_
