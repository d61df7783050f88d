#ifndef SYNCLINE_SERVER_STORE_INITIALIZER_H_
#define SYNCLINE_SERVER_STORE_INITIALIZER_H_

#include <cstddef>
#include <cstdint>

#include "proto/parameter_server.pb.h"

namespace syncline {

// Writes the first values of elements [begin, begin + n) of a tensor to `to`. Each is a function of
// (seed, tensor name, element number) and nothing else, so neither the cut into chunks nor the
// number of shards changes a bit. Random numbers are SplitMix64 (Steele, Lea and Flood 2014) of a
// counter; normal ones by Box and Muller (1958). Thread-safe.
void Initialize(const TensorSpec& tensor, uint64_t seed, uint64_t begin, size_t n, float* to);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_INITIALIZER_H_
