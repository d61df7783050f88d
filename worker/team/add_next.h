#ifndef SYNCLINE_WORKER_TEAM_ADD_NEXT_H_
#define SYNCLINE_WORKER_TEAM_ADD_NEXT_H_

#include <algorithm>
#include <cstddef>

#include "common/optimizer/kernels.h"

namespace syncline {

// sum[i] = data[i] + the next float that `reader` has, a FloatReader or FloatDecoder. `sum` may be `data`.
template <typename Reader>
void AddNext(Reader* reader, const float* data, size_t floats, float* sum) {
  constexpr size_t kBlock = 4096;
  alignas(64) float scratch[kBlock];
  for (size_t done = 0; done < floats; done += kBlock) {
    const size_t count = std::min(floats - done, kBlock);
    Add(data + done, reader->Next(count, scratch), sum + done, count);
  }
}

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TEAM_ADD_NEXT_H_
