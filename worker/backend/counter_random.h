#ifndef SYNCLINE_WORKER_BACKEND_COUNTER_RANDOM_H_
#define SYNCLINE_WORKER_BACKEND_COUNTER_RANDOM_H_

// Random bits as a pure function of (seed, counter): every backend draws the same ones, in any
// order, on any number of threads, and backward draws forward's again instead of storing them.
//
// Two rounds of the 32-bit finalizer `lowbias32` (Wellons 2018, bias 0.17 of 1000 ideal), with half
// of the key added before each. Good for dropout; not for cryptography.

#include <stdint.h>

#ifdef __CUDACC__
#define SYNCLINE_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define SYNCLINE_HOST_DEVICE inline __attribute__((always_inline))
#endif

namespace syncline {

SYNCLINE_HOST_DEVICE uint32_t MixBits(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  x ^= x >> 16;
  return x;
}

// 32 random bits for this counter.
SYNCLINE_HOST_DEVICE uint32_t RandomBits(uint64_t seed, uint64_t counter) {
  const uint32_t low = static_cast<uint32_t>(counter);
  const uint32_t high = static_cast<uint32_t>(counter >> 32);
  const uint32_t first = static_cast<uint32_t>(seed);
  const uint32_t second = static_cast<uint32_t>(seed >> 32) ^ MixBits(high);
  return MixBits(MixBits(low + first) + second);
}

// Dropout drops an element whose bits, without the lowest 8, are below this.
SYNCLINE_HOST_DEVICE int32_t DropoutThreshold(float rate) {
  return static_cast<int32_t>(rate * 16777216.0f);
}

SYNCLINE_HOST_DEVICE bool Dropped(uint64_t seed, uint64_t counter, int32_t threshold) {
  return static_cast<int32_t>(RandomBits(seed, counter) >> 8) < threshold;
}

}  // namespace syncline

#endif  // SYNCLINE_WORKER_BACKEND_COUNTER_RANDOM_H_
