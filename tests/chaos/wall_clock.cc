#include "tests/chaos/wall_clock.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>

namespace syncline {
namespace {

volatile int64_t* ahead_ns = nullptr;

// The file is mapped at the first question for the time, which may come before any test, so this comes first.
__attribute__((constructor(101))) void MakeFile() {
  const int file = memfd_create("wall_clock", 0);
  if (file < 0 || ftruncate(file, sizeof(int64_t)) != 0) abort();
  void* const memory = mmap(nullptr, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) abort();
  ahead_ns = static_cast<volatile int64_t*>(memory);
  if (setenv("SYNCLINE_CHAOS_CLOCK", ("/proc/self/fd/" + std::to_string(file)).c_str(), 1) != 0) abort();
}

}  // namespace

void SetWallClock(absl::Duration ahead) { *ahead_ns = absl::ToInt64Nanoseconds(ahead); }

}  // namespace syncline
