#include "worker/backend/conformance/conformance.h"

#include <cmath>
#include <functional>
#include <random>
#include <utility>

namespace syncline {
namespace {

// One run of one case on one backend. Inputs are drawn from the case's seed, so both backends get
// the same; outputs are collected to be compared.
class Run {
 public:
  Run(const Backend& backend, int seed) : backend_(backend), random_(seed) {
    const BackendOptions options = {0, 1, 0, 0};
    Check(backend_.open_device(&options, &device_));
  }
  ~Run() {
    for (void* memory : memory_) backend_.release(device_, memory);
    if (device_ != nullptr) backend_.close_device(device_);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  const Backend& table() const { return backend_; }
  BackendDevice* device() const { return device_; }

  template <typename T>
  T* Upload(const std::vector<T>& values) {
    void* memory = nullptr;
    const size_t bytes = values.size() * sizeof(T);
    if (!Check(backend_.allocate(device_, bytes, &memory))) return nullptr;
    memory_.push_back(memory);
    Check(backend_.copy(device_, kComputeStream, memory, values.data(), bytes));
    Check(backend_.synchronize(device_));
    return static_cast<T*>(memory);
  }

  // n floats uniform in [low, high).
  float* Floats(size_t n, float low = -1.0f, float high = 1.0f) {
    std::vector<float> values(n);
    for (float& v : values) v = low + (high - low) * Uniform();
    return Upload(values);
  }

  // n whole numbers uniform in [low, high), as floats.
  std::vector<float> Whole(size_t n, int low, int high) {
    std::vector<float> values(n);
    for (float& v : values) v = static_cast<float>(low + static_cast<int>(Uniform() * (high - low)));
    return values;
  }

  // n integers uniform in [low, high).
  template <typename T>
  T* Integers(size_t n, int low, int high) {
    std::vector<T> values(n);
    for (T& v : values) v = static_cast<T>(low + static_cast<int>(Uniform() * (high - low)));
    return Upload(values);
  }

  // Adds what an operation wrote to the outputs.
  template <typename T>
  void Output(const T* memory, size_t n) {
    if (!error_.empty()) return;
    std::vector<T> values(n);
    Check(backend_.copy(device_, kComputeStream, values.data(), memory, n * sizeof(T)));
    Check(backend_.synchronize(device_));
    outputs_.insert(outputs_.end(), values.begin(), values.end());
  }

  bool Check(int code) {
    if (code != kBackendOk && error_.empty()) error_ = backend_.last_error();
    return code == kBackendOk;
  }

  const std::vector<double>& outputs() const { return outputs_; }
  const std::string& error() const { return error_; }

 private:
  float Uniform() { return static_cast<float>(random_() >> 8) / 16777216.0f; }

  const Backend& backend_;
  std::mt19937 random_;
  BackendDevice* device_ = nullptr;
  std::vector<void*> memory_;
  std::vector<double> outputs_;
  std::string error_;
};

struct Shape {
  int rows;
  int cols;
};

constexpr Shape kShapes[] = {{1, 1}, {3, 7}, {17, 10}, {64, 33}, {5, 257}, {128, 512}};

class Comparison {
 public:
  Comparison(const Backend& tested, const Backend& expected)
      : tested_(tested), expected_(expected) {}

  void Case(const std::string& operation, double tolerance, const std::string& shape,
            const std::function<void(Run*)>& body) {
    if (results_.empty() || results_.back().operation != operation) {
      results_.push_back({operation, 0, 0.0, tolerance, ""});
    }
    ConformanceResult& result = results_.back();
    ++result.cases;
    Run tested(tested_, result.cases), expected(expected_, result.cases);
    if (tested.error().empty()) body(&tested);
    if (expected.error().empty()) body(&expected);
    for (const Run* run : {&tested, &expected}) {
      if (!run->error().empty()) Fail(&result, shape + ": " + run->error());
    }
    if (!result.failure.empty()) return;
    for (size_t i = 0; i < expected.outputs().size(); ++i) {
      Compare(tested.outputs()[i], expected.outputs()[i], shape, i, &result);
    }
  }

  std::vector<ConformanceResult> Take() { return std::move(results_); }

 private:
  static void Fail(ConformanceResult* result, const std::string& failure) {
    if (result->failure.empty()) result->failure = failure;
  }

  static void Compare(double tested, double expected, const std::string& shape, size_t place,
                      ConformanceResult* result) {
    if (std::isnan(tested) && std::isnan(expected)) return;
    const double difference = std::fabs(tested - expected) / (1.0 + std::fabs(expected));
    if (difference > result->worst) result->worst = difference;
    if (difference <= result->tolerance) return;
    Fail(result, shape + ": output " + std::to_string(place) + " is " + std::to_string(tested) +
                     ", expected " + std::to_string(expected));
  }

  const Backend& tested_;
  const Backend& expected_;
  std::vector<ConformanceResult> results_;
};

std::string Text(const Shape& shape) {
  return "[" + std::to_string(shape.rows) + "," + std::to_string(shape.cols) + "]";
}

void Products(Comparison* comparison) {
  constexpr int kSizes[][3] = {{1, 1, 1},   {2, 3, 5},      {4, 4, 4},     {7, 1, 9},  {33, 17, 65},
                               {5, 300, 1}, {128, 10, 256}, {64, 129, 70}, {3, 2, 0}};
  for (const auto& size : kSizes) {
    for (int form = 0; form < 8; ++form) {
      const int m = size[0], n = size[1], k = size[2];
      const int ta = form & 1, tb = form >> 1 & 1;
      const float alpha = form & 4 ? 0.5f : 1.0f, beta = form & 4 ? -2.0f : 0.0f;
      const std::string shape = std::to_string(m) + "x" + std::to_string(n) + "x" +
                                std::to_string(k) + (ta ? " T" : " N") + (tb ? "T" : "N");
      comparison->Case("gemm", 1e-5, shape, [=](Run* run) {
        const float *a = run->Floats(m * k), *b = run->Floats(k * n);
        float* c = run->Floats(m * n);
        run->Check(run->table().gemm(run->device(), ta, tb, m, n, k, alpha, a, b, beta, c));
        run->Output(c, m * n);
      });
    }
  }
}

void Activations(Comparison* comparison) {
  constexpr const char* kNames[] = {"identity", "relu", "gelu", "tanh", "sigmoid"};
  for (int activation = kIdentity; activation <= kSigmoid; ++activation) {
    for (const Shape& shape : kShapes) {
      const int n = shape.rows * shape.cols;
      for (const bool bias : {false, true}) {
        for (const bool in_place : {false, true}) {
          comparison->Case(kNames[activation], 2e-6, Text(shape), [=](Run* run) {
            const float* b = run->Floats(shape.cols);
            float* x = run->Floats(n, -6.0f, 6.0f);
            float* y = in_place ? x : run->Floats(n);
            run->Check(run->table().bias_activation(run->device(), activation, shape.rows,
                                                    shape.cols, bias ? b : nullptr, x, y));
            run->Output(x, n);
            run->Output(y, n);
          });
        }
      }
    }
  }
  for (int activation = kIdentity; activation <= kSigmoid; ++activation) {
    for (const Shape& shape : kShapes) {
      const int n = shape.rows * shape.cols;
      const std::string operation = std::string(kNames[activation]) + " backward";
      comparison->Case(operation, 5e-6, Text(shape), [=](Run* run) {
        const float *x = run->Floats(n, -6.0f, 6.0f), *y = run->Floats(n);
        const bool reads_x = activation == kGelu;
        float* dy = run->Floats(n);
        run->Check(run->table().activation_backward(run->device(), activation, n,
                                                    reads_x ? x : nullptr, reads_x ? nullptr : y,
                                                    dy, dy));
        run->Output(dy, n);
      });
    }
  }
}

void RowsAndColumns(Comparison* comparison) {
  for (const Shape& shape : kShapes) {
    const int n = shape.rows * shape.cols;
    for (const int add : {0, 1}) {
      comparison->Case("column_sum", 1e-5, Text(shape), [=](Run* run) {
        const float* x = run->Floats(n);
        float* sum = run->Floats(shape.cols);
        run->Check(run->table().column_sum(run->device(), shape.rows, shape.cols, add, x, sum));
        run->Output(sum, shape.cols);
      });
    }
  }
  for (const Shape& shape : kShapes) {
    const int n = shape.rows * shape.cols;
    for (const uint64_t offset : {uint64_t{0}, (uint64_t{1} << 32) - 3, (uint64_t{7} << 32) + 5}) {
      comparison->Case("dropout", 1e-6, Text(shape), [=](Run* run) {
        const float* x = run->Floats(n);
        float* y = run->Floats(n);
        run->Check(run->table().dropout(run->device(), n, 0.3f, 0x123456789abcdefu, offset, x, y));
        run->Output(y, n);
      });
    }
  }
  for (const Shape& shape : kShapes) {
    for (const int add : {0, 1}) {
      comparison->Case("layer_norm", 1e-4, Text(shape), [=](Run* run) {
        const int rows = shape.rows, cols = shape.cols, n = rows * cols;
        const float *x = run->Floats(n, 0.0f, 4.0f), *gamma = run->Floats(cols);
        const float *beta = run->Floats(cols), *dy = run->Floats(n);
        float *y = run->Floats(n), *mean = run->Floats(rows), *rstd = run->Floats(rows);
        float *dx = run->Floats(n), *dgamma = run->Floats(cols), *dbeta = run->Floats(cols);
        run->Check(run->table().layer_norm(run->device(), rows, cols, 1e-2f, x, gamma, beta, y, mean,
                                           rstd));
        run->Check(run->table().layer_norm_backward(run->device(), rows, cols, add, x, gamma, mean,
                                                    rstd, dy, dx, dgamma, dbeta));
        for (const float* matrix : {static_cast<const float*>(y), static_cast<const float*>(dx)}) {
          run->Output(matrix, n);
        }
        for (const float* row : {dgamma, dbeta}) run->Output(row, cols);
        for (const float* column : {mean, rstd}) run->Output(column, rows);
      });
    }
  }
}

struct Tokens {
  int rows, positions, width, vocabulary, heads;
  std::string Text() const {
    return "[" + std::to_string(rows) + "," + std::to_string(positions) + "," + std::to_string(width) + "] of " +
           std::to_string(vocabulary) + " tokens, " + std::to_string(heads) + " heads";
  }
};
constexpr Tokens kTokens[] = {{1, 1, 1, 1, 1}, {2, 5, 6, 3, 2}, {3, 33, 24, 50, 3}, {4, 64, 64, 90, 4}};

void Sequences(Comparison* comparison) {
  for (const Shape& shape : kShapes) {
    comparison->Case("add", 1e-6, Text(shape), [=](Run* run) {
      const int n = shape.rows * shape.cols;
      const float* x = run->Floats(n);
      float* y = run->Floats(n);
      run->Check(run->table().add(run->device(), n, x, y));
      run->Output(y, n);
    });
  }
  for (const Tokens& t : kTokens) {
    for (const int wrong : {0, 1}) {
      comparison->Case("embed", 1e-5, t.Text(), [=](Run* run) {
        const int n = t.rows * t.positions * t.width;
        const float* tokens = run->Upload(run->Whole(t.rows * t.positions, -wrong, t.vocabulary + wrong));
        const float *table = run->Floats(t.vocabulary * t.width), *places = run->Floats(t.positions * t.width);
        const float* dy = run->Floats(n);
        float *y = run->Floats(n), *dtable = run->Floats(t.vocabulary * t.width);
        float* dplaces = run->Floats(t.positions * t.width);
        run->Check(run->table().embed(run->device(), t.rows, t.positions, t.width, t.vocabulary, tokens, table,
                                      places, y));
        run->Check(run->table().embed_backward(run->device(), t.rows, t.positions, t.width, t.vocabulary, wrong,
                                               tokens, dy, dtable, dplaces));
        run->Output(y, n);
        run->Output(dtable, t.vocabulary * t.width);
        run->Output(dplaces, t.positions * t.width);
      });
    }
    comparison->Case("attention", 1e-4, t.Text(), [=](Run* run) {
      const int n = t.rows * t.positions * t.width, w = t.rows * t.heads * t.positions * t.positions;
      const float *qkv = run->Floats(3 * n, -2.0f, 2.0f), *dy = run->Floats(n);
      float *weights = run->Floats(w), *scratch = run->Floats(w), *y = run->Floats(n), *dqkv = run->Floats(3 * n);
      run->Check(run->table().attention(run->device(), t.rows, t.positions, t.heads, t.width, qkv, weights, y));
      run->Check(run->table().attention_backward(run->device(), t.rows, t.positions, t.heads, t.width, qkv,
                                                 weights, dy, scratch, dqkv));
      run->Output(y, n);
      run->Output(weights, w);
      run->Output(dqkv, 3 * n);
    });
  }
}

void Losses(Comparison* comparison) {
  for (const Shape& shape : kShapes) {
    for (const bool wrong_label : {false, true}) {
      comparison->Case("softmax_cross_entropy", 1e-5, Text(shape), [=](Run* run) {
        const int rows = shape.rows, classes = shape.cols;
        const float* logits = run->Floats(rows * classes, -20.0f, 20.0f);
        const int32_t* labels = run->Integers<int32_t>(rows, wrong_label ? -1 : 0, classes);
        float *loss = run->Floats(1), *gradient = run->Floats(rows * classes);
        int32_t* correct = run->Integers<int32_t>(1, 5, 6);
        run->Check(run->table().softmax_cross_entropy(run->device(), rows, classes, logits, labels,
                                                      0.5f, loss, gradient));
        run->Check(run->table().count_correct(run->device(), rows, classes, logits, labels,
                                              correct));
        run->Output(loss, 1);
        run->Output(gradient, rows * classes);
        run->Output(correct, 1);
      });
    }
  }
  for (const Shape& shape : kShapes) {
    const int rows = shape.rows, cols = shape.cols, n = rows * cols;
    comparison->Case("mean_squared_error", 1e-5, Text(shape), [=](Run* run) {
      const float *y = run->Floats(n), *target = run->Floats(n);
      float *loss = run->Floats(1), *gradient = run->Floats(n);
      run->Check(run->table().mean_squared_error(run->device(), rows, cols, y, target, 0.5f, loss,
                                                 gradient));
      run->Output(loss, 1);
      run->Output(gradient, n);
    });
  }
  for (const Shape& shape : kShapes) {
    const int rows = shape.rows * shape.cols;
    comparison->Case("logistic_loss", 1e-5, Text(shape), [=](Run* run) {
      const float* logits = run->Floats(rows, -30.0f, 30.0f);
      const std::vector<float> zeros_and_ones = [&] {
        std::vector<float> values(rows);
        for (int r = 0; r < rows; ++r) values[r] = r % 3 == 0 ? 1.0f : 0.0f;
        return values;
      }();
      const float* target = run->Upload(zeros_and_ones);
      float *loss = run->Floats(1), *gradient = run->Floats(rows);
      int32_t* correct = run->Integers<int32_t>(1, 5, 6);
      run->Check(run->table().logistic_loss(run->device(), rows, logits, target, 0.5f, loss,
                                            gradient));
      run->Check(
          run->table().count_correct_logistic(run->device(), rows, logits, target, correct));
      run->Output(loss, 1);
      run->Output(gradient, rows);
      run->Output(correct, 1);
    });
  }
}

void Gathers(Comparison* comparison) {
  constexpr int kTable = 50;
  for (const Shape& shape : kShapes) {
    const int rows = shape.rows, cols = shape.cols, n = rows * cols;
    comparison->Case("gather", 2e-6, Text(shape), [=](Run* run) {
      const uint8_t* bytes = run->Integers<uint8_t>(kTable * cols, 0, 256);
      const float* floats = run->Floats(kTable * cols);
      const int32_t* integers = run->Integers<int32_t>(kTable, 0, 1000);
      const int64_t* indices = run->Integers<int64_t>(rows, 0, kTable);
      float *a = run->Floats(n), *b = run->Floats(n);
      int32_t* c = run->Integers<int32_t>(rows, 0, 1);
      const Backend& table = run->table();
      BackendDevice* device = run->device();
      run->Check(table.gather_uint8(device, rows, cols, bytes, indices, 0.25f, 0.5f, a));
      run->Check(table.gather_float(device, rows, cols, floats, indices, 0.25f, 0.5f, b));
      run->Check(table.gather_int32(device, rows, integers, indices, c));
      run->Output(a, n);
      run->Output(b, n);
      run->Output(c, rows);
    });
  }
}

// Which rows of a table are looked up where, as look_up and look_up_backward want it: about one in eight is none.
struct Places {
  std::vector<int32_t> index, starts, places;
  Places(const std::vector<float>& numbers, int used) : starts(used + 1) {
    for (const float number : numbers) index.push_back(static_cast<int32_t>(number));
    for (int u = 0; u < used; ++u) {
      for (size_t i = 0; i < index.size(); ++i) {
        if (index[i] == u) places.push_back(static_cast<int32_t>(i));
      }
      starts[u + 1] = static_cast<int32_t>(places.size());
    }
    places.push_back(0);  // there is no memory of no bytes
  }
};

struct Vectors {
  int rows, vectors, dim;
  std::string Text() const {
    return "[" + std::to_string(rows) + "," + std::to_string(vectors) + "," + std::to_string(dim) + "]";
  }
};
constexpr Vectors kVectors[] = {{1, 1, 1}, {3, 2, 7}, {5, 26, 1}, {64, 27, 16}, {9, 5, 65}};

void LookUps(Comparison* comparison) {
  constexpr int kUsed = 7;
  for (const Vectors& v : kVectors) {
    for (const int pooled : {0, 1}) {
      comparison->Case("look_up", 1e-5, v.Text(), [=](Run* run) {
        const int width = pooled ? v.dim : v.vectors * v.dim, stride = width + 3;
        const Places at(run->Whole(v.rows * v.vectors, -1, kUsed), kUsed);
        const float *table = run->Floats(kUsed * v.dim), *dy = run->Floats(v.rows * stride);
        float *y = run->Floats(v.rows * stride), *dtable = run->Floats(kUsed * v.dim);
        run->Check(run->table().look_up(run->device(), v.rows, v.vectors, v.dim, pooled, 0.5f,
                                        run->Upload(at.index), table, stride, y));
        run->Output(y, v.rows * stride);
        for (const int add : {0, 1}) {
          run->Check(run->table().look_up_backward(run->device(), kUsed, v.vectors, v.dim, pooled, 0.5f, add,
                                                   run->Upload(at.starts), run->Upload(at.places), stride, dy,
                                                   dtable));
          run->Output(dtable, kUsed * v.dim);
        }
      });
    }
  }
}

void SideBySide(Comparison* comparison) {
  using Forward = int (*Backend::*)(BackendDevice*, int, int, int, const float*, float*);
  using Backward = int (*Backend::*)(BackendDevice*, int, int, int, const float*, const float*, float*);
  const auto compare = [&](const char* name, Forward forward, Backward backward, auto width) {
    for (const Vectors& v : kVectors) {
      comparison->Case(name, 1e-5, v.Text(), [=](Run* run) {
        const int n = v.rows * v.vectors * v.dim, m = v.rows * width(v);
        const float *x = run->Floats(n), *dy = run->Floats(m);
        float *y = run->Floats(m), *dx = run->Floats(n);
        run->Check((run->table().*forward)(run->device(), v.rows, v.vectors, v.dim, x, y));
        run->Output(y, m);
        if (backward == nullptr) {
          run->Check(run->table().vector_sum_backward(run->device(), v.rows, v.vectors, v.dim, dy, dx));
        } else {
          run->Check((run->table().*backward)(run->device(), v.rows, v.vectors, v.dim, x, dy, dx));
        }
        run->Output(dx, n);
      });
    }
  };
  compare("vector_sum", &Backend::vector_sum, nullptr, [](const Vectors& v) { return v.dim; });
  compare("factorization", &Backend::factorization, &Backend::factorization_backward,
          [](const Vectors&) { return 1; });
  compare("interaction", &Backend::interaction, &Backend::interaction_backward,
          [](const Vectors& v) { return v.dim + v.vectors * (v.vectors - 1) / 2; });
  for (const Shape& shape : kShapes) {
    comparison->Case("copy_columns", 1e-6, Text(shape), [=](Run* run) {
      const int from_stride = shape.cols + 2, to_stride = shape.cols + 5;
      const float* from = run->Floats(shape.rows * from_stride);
      float* to = run->Floats(shape.rows * to_stride);
      for (const int add : {0, 1}) {
        run->Check(run->table().copy_columns(run->device(), shape.rows, shape.cols, add, from_stride, from + 1,
                                             to_stride, to + 2));
        run->Output(to, shape.rows * to_stride);
      }
    });
  }
}

}  // namespace

std::vector<ConformanceResult> CompareBackends(const Backend& tested, const Backend& expected) {
  Comparison comparison(tested, expected);
  Products(&comparison);
  Activations(&comparison);
  RowsAndColumns(&comparison);
  Sequences(&comparison);
  Losses(&comparison);
  Gathers(&comparison);
  LookUps(&comparison);
  SideBySide(&comparison);
  return comparison.Take();
}

}  // namespace syncline
