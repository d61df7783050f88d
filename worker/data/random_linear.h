#ifndef SYNCLINE_WORKER_DATA_RANDOM_LINEAR_H_
#define SYNCLINE_WORKER_DATA_RANDOM_LINEAR_H_

#include <cstdint>
#include <memory>

#include "worker/data/dataset.h"

namespace syncline {

// `samples` rows of `features` numbers and a target each, all uniform in [0, 1), from the seed: the
// data of the reference job of data-parallel SGD, where only the time of a step matters. Targets
// owe nothing to the features.
std::unique_ptr<Dataset> MakeRandomLinear(uint32_t samples, size_t features, uint64_t seed,
                                          FeatureScale scale);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_RANDOM_LINEAR_H_
