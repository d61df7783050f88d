#include "worker/backend/counter_random.h"
#include "worker/backend/cpu/operations.h"
#include "worker/backend/cpu/vectorise.h"
#include "worker/backend/error.h"

namespace syncline {
namespace {

// Elements offset .. offset + n - 1, which share the upper half of the counter.
void DropRun(size_t n, float rate, uint64_t seed, uint64_t offset, const float* x, float* y) {
  const int32_t threshold = DropoutThreshold(rate);
  const float scale = 1.0f / (1.0f - rate);
  const uint64_t high = offset >> 32 << 32;
  const uint32_t low = static_cast<uint32_t>(offset);
  const uint32_t count = static_cast<uint32_t>(n);
  Vectorise([=]() SYNCLINE_INLINE {
    for (uint32_t i = 0; i < count; ++i) {
      y[i] = Dropped(seed, high | (low + i), threshold) ? 0.0f : x[i] * scale;
    }
  });
}

int DropoutForward(BackendDevice*, size_t n, float rate, uint64_t seed, uint64_t offset,
                   const float* x, float* y) {
  if (!(rate >= 0.0f && rate < 1.0f)) {
    return BackendFail(kBackendInvalid, "dropout: rate %g must be in [0, 1)",
                       static_cast<double>(rate));
  }
  constexpr uint64_t kRun = uint64_t{1} << 32;
  while (n > 0) {
    const uint64_t left = kRun - offset % kRun;
    const size_t run = n < left ? n : left - (left == kRun ? 1 : 0);
    DropRun(run, rate, seed, offset, x, y);
    n -= run;
    offset += run;
    x += run;
    y += run;
  }
  return kBackendOk;
}

}  // namespace

void AddDropout(Backend* table) { table->dropout = DropoutForward; }

}  // namespace syncline
