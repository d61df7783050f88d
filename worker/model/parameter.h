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

// What of a tensor a process has that shares its layer with others: of each run of `period` elements in a row, those
// [begin, end), one run after the other.
struct TensorSlice {
  int64_t period = 0;  // 0: all of it
  int64_t begin = 0;
  int64_t end = 0;

  bool whole() const { return period == 0; }
};

// What a model says about one of its tensors. The values are made on the server, from `initial` and
// the job's seed; the model only declares them.
struct ParameterSpec {
  std::string name;            // "<layer>.<kind>.<tensor>", e.g. "0.linear.weight"
  std::vector<int64_t> shape;  // of the whole tensor, row-major, all dimensions at least 1
  InitialValue initial;
  TensorSlice slice = {};

  int64_t whole_size() const {
    int64_t count = 1;
    for (const int64_t dimension : shape) count *= dimension;
    return count;
  }
  // Elements that are here.
  int64_t size() const {
    return slice.whole() ? whole_size() : whole_size() / slice.period * (slice.end - slice.begin);
  }
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_PARAMETER_H_
