#ifndef SYNCLINE_WORKER_MODEL_PARAMETER_H_
#define SYNCLINE_WORKER_MODEL_PARAMETER_H_

#include <cstdint>
#include <string>
#include <vector>

namespace syncline {

enum class InitializerKind {
  kZeros,
  kConstant,  // a everywhere
  kUniform,   // in [a, b)
  kNormal,    // mean a, standard deviation b
};

struct InitialValue {
  InitializerKind kind = InitializerKind::kZeros;
  double a = 0.0;
  double b = 0.0;
};

// What a model says about one of its tensors. The values are made on the server, from `initial` and
// the job's seed; the model only declares them.
struct ParameterSpec {
  std::string name;            // "<layer>.<kind>.<tensor>", e.g. "0.linear.weight"
  std::vector<int64_t> shape;  // row-major, all dimensions at least 1
  InitialValue initial;

  int64_t size() const {
    int64_t count = 1;
    for (const int64_t dimension : shape) count *= dimension;
    return count;
  }
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_PARAMETER_H_
