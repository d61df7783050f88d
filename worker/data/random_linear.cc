#include "worker/data/random_linear.h"

#include <utility>
#include <vector>

#include "worker/data/random.h"

namespace syncline {

std::unique_ptr<Dataset> MakeRandomLinear(uint32_t samples, size_t features, uint64_t seed,
                                          FeatureScale scale) {
  constexpr uint64_t kPurpose = 0x72616e646f6d;  // "random": no epoch has this number
  SplitMix64 random = RandomStream(seed, kPurpose);
  std::vector<float> values(samples * features);
  for (float& value : values) value = static_cast<float>((random.Uniform() - scale.mean) / scale.std);
  std::vector<float> targets(samples);
  for (float& target : targets) target = random.Uniform();
  return std::make_unique<DenseDataset>(std::move(values), features, std::move(targets));
}

}  // namespace syncline
