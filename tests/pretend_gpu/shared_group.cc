#include "tests/pretend_gpu/shared_group.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <numeric>

namespace syncline {

namespace {
constexpr size_t kFloats = size_t{1} << 21;
}  // namespace

struct SharedGroup::Rank {
  std::atomic<uint32_t> here;
  std::atomic<uint64_t> said, read;  // calls
  float floats[kFloats];
};

SharedGroup* SharedGroup::Open(const std::string& path, int ranks, int rank) {
  const int file = open(path.c_str(), O_RDWR);
  if (file < 0) return nullptr;
  void* memory = MAP_FAILED;
  const size_t bytes = sizeof(Rank) * ranks;
  // Holes until somebody writes.
  if (ftruncate(file, static_cast<off_t>(bytes)) == 0) {
    memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  close(file);
  if (memory == MAP_FAILED) return nullptr;
  auto* group = new SharedGroup(static_cast<Rank*>(memory), ranks, rank);
  group->memory_[rank].here = 1;
  return group;
}

SharedGroup::~SharedGroup() { munmap(memory_, sizeof(Rank) * ranks_); }

bool SharedGroup::complete() const {
  return std::all_of(memory_, memory_ + ranks_, [](const Rank& rank) { return rank.here != 0; });
}

bool SharedGroup::Fits(const BackendGroupPart* parts, size_t count) {
  return std::accumulate(parts, parts + count, size_t{0},
                         [](size_t sum, const BackendGroupPart& part) { return sum + part.floats; }) <= kFloats;
}

bool SharedGroup::Say(uint64_t call, const std::vector<BackendGroupPart>& parts) {
  Rank& own = memory_[rank_];
  if (own.said >= call) return true;
  if (std::any_of(memory_, memory_ + ranks_, [call](const Rank& rank) { return rank.read + 1 < call; })) return false;
  float* to = own.floats;
  for (const BackendGroupPart& part : parts) to = std::copy_n(part.data, part.floats, to);
  own.said = call;
  return true;
}

bool SharedGroup::AllHaveSaid(uint64_t call) const {
  return std::all_of(memory_, memory_ + ranks_, [call](const Rank& rank) { return rank.said >= call; });
}

bool SharedGroup::Reduce(uint64_t call, const std::vector<BackendGroupPart>& parts) {
  if (!Say(call, parts) || !AllHaveSaid(call)) return false;
  size_t at = 0;
  for (const BackendGroupPart& part : parts) {
    if (part.root == rank_) {
      std::copy_n(memory_[0].floats + at, part.floats, part.data);
      for (int r = 1; r < ranks_; ++r) {
        for (size_t i = 0; i < part.floats; ++i) part.data[i] += memory_[r].floats[at + i];
      }
    }
    at += part.floats;
  }
  memory_[rank_].read = call;
  return true;
}

bool SharedGroup::Broadcast(uint64_t call, const std::vector<BackendGroupPart>& parts) {
  if (!Say(call, parts) || !AllHaveSaid(call)) return false;
  size_t at = 0;
  for (const BackendGroupPart& part : parts) {
    std::copy_n(memory_[part.root].floats + at, part.floats, part.data);
    at += part.floats;
  }
  memory_[rank_].read = call;
  return true;
}

}  // namespace syncline
