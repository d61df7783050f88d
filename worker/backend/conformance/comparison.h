#ifndef SYNCLINE_WORKER_BACKEND_CONFORMANCE_COMPARISON_H_
#define SYNCLINE_WORKER_BACKEND_CONFORMANCE_COMPARISON_H_

// What the cases of the conformance suite share. Each family of operations has one function, in a file of cases.

#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "worker/backend/backend.h"
#include "worker/backend/conformance/conformance.h"

namespace syncline {

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

// Odd ones among them.
inline constexpr Shape kShapes[] = {{1, 1}, {3, 7}, {17, 10}, {64, 33}, {5, 257}, {128, 512}};

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

inline std::string Text(const Shape& shape) {
  return "[" + std::to_string(shape.rows) + "," + std::to_string(shape.cols) + "]";
}

// layer_cases.cc
void CompareProducts(Comparison* comparison);
void CompareActivations(Comparison* comparison);
void CompareRowsAndColumns(Comparison* comparison);
void CompareSequences(Comparison* comparison);
// loss_cases.cc
void CompareLosses(Comparison* comparison);
void CompareGathers(Comparison* comparison);
// row_cases.cc
void CompareLookUps(Comparison* comparison);
void CompareSideBySide(Comparison* comparison);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_BACKEND_CONFORMANCE_COMPARISON_H_
