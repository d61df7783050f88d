// Compares the CUDA backend with the CPU's, operation by operation and over a training run, and
// times it beside cuBLAS' own peak. Prints one table; exits 1 if a comparison failed.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "tests/gpu/cublas_peak.h"
#include "tests/gpu/mlp.h"
#include "worker/backend/conformance/conformance.h"
#include "worker/backend/cpu/cpu_backend.h"
#include "worker/backend/loader.h"

namespace syncline {
namespace {

const std::vector<int> kWidths = {784, 512, 256, 10};
constexpr double kParity = 1e-4;

struct Data {
  std::vector<float> features;
  std::vector<int32_t> labels;
};

Data MakeData(int rows, std::mt19937* random) {
  std::uniform_real_distribution<float> uniform(0.0f, 1.0f);
  Data data;
  for (int i = 0; i < rows * kWidths[0]; ++i) data.features.push_back(uniform(*random));
  for (int r = 0; r < rows; ++r) {
    // Learnable: which tenth of the pixels is brightest on the whole.
    int best = 0;
    float most = 0.0f;
    for (int c = 0; c < kWidths.back(); ++c) {
      float sum = 0.0f;
      for (int i = 0; i < 78; ++i) sum += data.features[r * kWidths[0] + c * 78 + i];
      if (sum > most) best = c, most = sum;
    }
    data.labels.push_back(best);
  }
  return data;
}

std::vector<float> MakeParameters(std::mt19937* random) {
  std::vector<float> values;
  for (size_t i = 0; i + 1 < kWidths.size(); ++i) {
    const float bound = 1.0f / std::sqrt(static_cast<float>(kWidths[i]));
    std::uniform_real_distribution<float> uniform(-bound, bound);
    for (int j = 0; j < (kWidths[i] + 1) * kWidths[i + 1]; ++j) values.push_back(uniform(*random));
  }
  return values;
}

struct Training {
  std::vector<float> parameters;
  std::vector<double> losses;
};

// 60 steps of SGD, the update made on the host, as a parameter server does.
Training Train(const Backend& backend, int ordinal) {
  constexpr int kRows = 128, kSteps = 60;
  std::mt19937 random(1);
  Mlp mlp(backend, {ordinal, 4, 0}, kWidths, kRows);
  Training training = {MakeParameters(&random), {}};
  for (int step = 0; step < kSteps; ++step) {
    const Data data = MakeData(kRows, &random);
    mlp.SetBatch(data.features, data.labels);
    mlp.SetParameters(training.parameters);
    mlp.Step();
    training.losses.push_back(mlp.LossSum() / kRows);
    const std::vector<float> gradients = mlp.Gradients();
    for (size_t i = 0; i < gradients.size(); ++i) training.parameters[i] -= 0.05f * gradients[i];
  }
  return training;
}

bool CompareTraining(const LoadedBackend& cuda) {
  const Training a = Train(*CpuBackend(), 0), b = Train(*cuda.backend, cuda.ordinal);
  double worst = 0.0;
  for (size_t i = 0; i < a.parameters.size(); ++i) {
    const double expected = a.parameters[i];
    worst = std::max(worst, std::fabs(b.parameters[i] - expected) / (1.0 + std::fabs(expected)));
  }
  for (size_t i = 0; i < a.losses.size(); ++i) {
    worst = std::max(worst, std::fabs(b.losses[i] - a.losses[i]) / (1.0 + a.losses[i]));
  }
  const bool passed = worst <= kParity;
  std::printf("%-28s %10.1e %10.0e   %s   (loss %.3f to %.3f)\n", "training, 60 steps", worst,
              kParity, passed ? "passed" : "FAILED", b.losses.front(), b.losses.back());
  return passed;
}

bool CompareOperations(const LoadedBackend& cuda) {
  bool passed = true;
  std::printf("%-28s %10s %10s\n", "parity with the CPU", "worst", "allowed");
  for (const ConformanceResult& result : CompareBackends(*cuda.backend, *CpuBackend())) {
    std::printf("%-28s %10.1e %10.0e   %s %s\n", result.operation.c_str(), result.worst,
                std::min(result.tolerance, kParity), result.passed() ? "passed" : "FAILED",
                result.failure.c_str());
    passed = passed && result.passed();
  }
  return passed;
}

double Seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

// Median over 7 rounds of the time of one step.
double StepTime(Mlp* mlp, int steps) {
  std::vector<double> times;
  for (int round = 0; round < 8; ++round) {
    const double begin = Seconds();
    for (int i = 0; i < steps; ++i) mlp->Step();
    mlp->Synchronize();
    if (round > 0) times.push_back((Seconds() - begin) / steps);  // the first warms up
  }
  std::nth_element(times.begin(), times.begin() + 3, times.end());
  return times[3];
}

void TimeSteps(const LoadedBackend& cuda, bool tf32) {
  const double peak = CublasPeakGflops(8192, tf32);
  std::printf("\n%s: cuBLAS' own peak (8192^3) %.0f GFLOP/s\n", tf32 ? "TF32" : "float32", peak);
  std::printf("%-28s %10s %12s %12s %8s\n", "784-512-256-10, step of", "us", "samples/s",
              "GFLOP/s", "of peak");
  for (const int rows : {128, 512, 2048, 8192, 32768}) {
    std::mt19937 random(1);
    Mlp mlp(*cuda.backend, {cuda.ordinal, 1, tf32 ? 1 : 0}, kWidths, rows);
    mlp.SetParameters(MakeParameters(&random));
    const Data data = MakeData(rows, &random);
    mlp.SetBatch(data.features, data.labels);
    const double seconds = StepTime(&mlp, 100);
    const double gflops = mlp.flops() / seconds / 1e9;
    std::printf("  %-26d %10.1f %12.0f %12.0f %7.1f%%\n", rows, seconds * 1e6, rows / seconds,
                gflops, 100.0 * gflops / peak);
  }
}

int Main(int argc, char** argv) {
  LoadedBackend cuda;
  std::string error;
  if (!LoadBackend({"cuda", argc > 1 ? argv[1] : ""}, &cuda, &error)) {
    std::printf("SKIPPED: no CUDA device (%s)\n", error.c_str());
    return 0;
  }
  const bool operations = CompareOperations(cuda);
  const bool training = CompareTraining(cuda);
  TimeSteps(cuda, /*tf32=*/false);
  TimeSteps(cuda, /*tf32=*/true);
  std::printf("\nparity: %s\n", operations && training ? "PASSED" : "FAILED");
  return operations && training ? 0 : 1;
}

}  // namespace
}  // namespace syncline

int main(int argc, char** argv) { return syncline::Main(argc, argv); }
