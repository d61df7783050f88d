// Compares the CUDA backend with the CPU's, operation by operation and over training runs, times it
// beside cuBLAS' own peak, and says how much of the copies between host and device a step hides.
// Exits 1 if a comparison failed.
//
//   gpu_check [FOLDER_OF_THE_LIBRARY [DEVICE [parity]]]
//
// DEVICE is cuda, or cpu to try out this program itself, with a small network and no peak. With `parity` nothing is
// timed, which is what a memory checker wants: compute-sanitizer gpu_check FOLDER cuda parity.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/gpu/cublas_peak.h"
#include "tests/gpu/mlp.h"
#include "worker/backend/conformance/conformance.h"
#include "worker/backend/conformance/group_conformance.h"
#include "worker/backend/cpu/cpu_backend.h"
#include "worker/backend/loader.h"

namespace syncline {
namespace {

using Widths = std::vector<int>;
const Widths kWidths = {784, 512, 256, 10};
const Widths kWide = {4096, 4096, 4096, 4096, 10};
const Widths kWideOnACpu = {256, 256, 256, 256, 10};
constexpr double kParity = 1e-4;

struct Format {
  Products products;
  const char* name;
  // Allowed of one product: of the sum of its terms' sizes. Two inputs rounded to the nearest, or
  // cut off, are off by at most 2 units in the last place.
  double product;
  // Allowed of training. Rounding the inputs on a CPU gives 6e-4 with either format.
  double parity;
  BackendOptions Options(int ordinal, int threads) const {
    return {ordinal, threads, products == Products::kTf32, products == Products::kBf16};
  }
};
const Format kFormats[] = {{Products::kFloat32, "float32", 1e-6, kParity},
                           {Products::kTf32, "TF32", 2.0 / 1024, 2e-3},
                           {Products::kBf16, "bfloat16", 2.0 / 128, 4e-3}};

struct Data {
  std::vector<float> features;
  std::vector<int32_t> labels;
};

Data MakeData(const Widths& widths, int rows, std::mt19937* random) {
  std::uniform_real_distribution<float> uniform(0.0f, 1.0f);
  Data data;
  data.features.resize(static_cast<size_t>(rows) * widths[0]);
  for (float& feature : data.features) feature = uniform(*random);
  for (int r = 0; r < rows; ++r) {
    // Learnable: which of ten parts of the features is brightest on the whole.
    const int part = widths[0] / widths.back();
    int best = 0;
    float most = 0.0f;
    for (int c = 0; c < widths.back(); ++c) {
      float sum = 0.0f;
      for (int i = 0; i < part; ++i) {
        sum += data.features[static_cast<size_t>(r) * widths[0] + c * part + i];
      }
      if (sum > most) best = c, most = sum;
    }
    data.labels.push_back(best);
  }
  return data;
}

std::vector<float> MakeParameters(const Widths& widths, std::mt19937* random) {
  std::vector<float> values;
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    const float bound = 1.0f / std::sqrt(static_cast<float>(widths[i]));
    std::uniform_real_distribution<float> uniform(-bound, bound);
    for (int j = 0; j < (widths[i] + 1) * widths[i + 1]; ++j) values.push_back(uniform(*random));
  }
  return values;
}

struct Training {
  std::vector<float> parameters;
  std::vector<double> losses;
};

// 60 steps of SGD, the update made on the host, as a parameter server does.
Training Train(const Backend& backend, const BackendOptions& options) {
  constexpr int kRows = 128, kSteps = 60;
  std::mt19937 random(1);
  Mlp mlp(backend, options, kWidths, kRows);
  Training training = {MakeParameters(kWidths, &random), {}};
  for (int step = 0; step < kSteps; ++step) {
    const Data data = MakeData(kWidths, kRows, &random);
    mlp.SetBatch(data.features, data.labels);
    mlp.SetParameters(training.parameters);
    mlp.Step();
    training.losses.push_back(mlp.LossSum() / kRows);
    const std::vector<float> gradients = mlp.Gradients();
    for (size_t i = 0; i < gradients.size(); ++i) training.parameters[i] -= 0.05f * gradients[i];
  }
  return training;
}

bool CompareTraining(const LoadedBackend& cuda, const Format& format, const Training& expected) {
  const Training got = Train(*cuda.backend, format.Options(cuda.ordinal, 4));
  double worst = 0.0;
  const auto compare = [&worst](double is, double should_be) {
    const double difference = std::fabs(is - should_be) / (1.0 + std::fabs(should_be));
    if (!(difference <= worst)) worst = std::isnan(difference) ? HUGE_VAL : difference;
  };
  for (size_t i = 0; i < expected.parameters.size(); ++i) {
    compare(got.parameters[i], expected.parameters[i]);
  }
  for (size_t i = 0; i < expected.losses.size(); ++i) compare(got.losses[i], expected.losses[i]);
  const bool passed = worst <= format.parity;
  std::printf("%-28s %10.1e %10.0e   %s   (loss %.3f to %.3f)\n",
              (std::string("training, 60 steps, ") + format.name).c_str(), worst, format.parity,
              passed ? "passed" : "FAILED", got.losses.front(), got.losses.back());
  return passed;
}

bool CompareTraining(const LoadedBackend& cuda) {
  const Training expected = Train(*CpuBackend(), {0, 4, 0, 0});
  bool passed = true;
  for (const Format& format : kFormats) {
    passed = CompareTraining(cuda, format, expected) && passed;
  }
  return passed;
}

// C = A B in one format, against double.
bool CompareProducts(const LoadedBackend& cuda, const Format& format) {
  constexpr int kM = 33, kN = 65, kK = 784;
  std::mt19937 random(3);
  std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
  std::vector<float> a(kM * kK), b(kK * kN), c(kM * kN);
  for (float& x : a) x = uniform(random);
  for (float& x : b) x = uniform(random);
  const Backend& table = *cuda.backend;
  const BackendOptions options = format.Options(cuda.ordinal, 1);
  BackendDevice* device = nullptr;
  void *on_a = nullptr, *on_b = nullptr, *on_c = nullptr;
  const auto copy = [&](void* to, const void* from, size_t count) {
    return table.copy(device, kComputeStream, to, from, count * sizeof(float)) ||
           table.synchronize(device);
  };
  bool failed = table.open_device(&options, &device) != kBackendOk;
  failed = failed || table.allocate(device, a.size() * sizeof(float), &on_a) ||
           table.allocate(device, b.size() * sizeof(float), &on_b) ||
           table.allocate(device, c.size() * sizeof(float), &on_c) ||
           copy(on_a, a.data(), a.size()) || copy(on_b, b.data(), b.size()) ||
           table.gemm(device, 0, 0, kM, kN, kK, 1.0f, static_cast<float*>(on_a),
                      static_cast<float*>(on_b), 0.0f, static_cast<float*>(on_c)) ||
           copy(c.data(), on_c, c.size());
  double worst = 0.0;
  for (int m = 0; m < kM && !failed; ++m) {
    for (int n = 0; n < kN; ++n) {
      double sum = 0.0, sizes = 0.0;
      for (int k = 0; k < kK; ++k) {
        const double term = static_cast<double>(a[m * kK + k]) * b[k * kN + n];
        sum += term;
        sizes += std::fabs(term);
      }
      const double difference = std::fabs(c[m * kN + n] - sum) / sizes;
      if (!(difference <= worst)) worst = std::isnan(difference) ? HUGE_VAL : difference;
    }
  }
  const bool passed = !failed && worst <= format.product;
  std::printf("%-28s %10.1e %10.0e   %s %s\n", (std::string("a product, ") + format.name).c_str(),
              worst, format.product, passed ? "passed" : "FAILED",
              failed ? table.last_error() : "");
  for (void* memory : {on_a, on_b, on_c}) {
    if (memory != nullptr) table.release(device, memory);
  }
  if (device != nullptr) table.close_device(device);
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

// Sums and copies among all GPUs of this machine, with NCCL. One alone is a group too, which tries the calls only.
bool CheckSums(const Backend& backend) {
  int devices = 0;
  backend.device_count(&devices);
  std::printf("\n%-28s ", "sums among GPUs");
  const GroupConformance result = CheckGroups(backend, devices);
  if (!result.skipped.empty()) {
    std::printf("SKIPPED: %s\n", result.skipped.c_str());
    return true;
  }
  char name[64] = "";
  backend.groups->describe(name, sizeof(name));
  std::printf("%d of them, %s   %s %s\n", devices, name, result.failure.empty() ? "passed" : "FAILED",
              result.failure.c_str());
  return result.failure.empty();
}

double Seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

// Median over 7 rounds of the seconds of one of `steps` calls.
template <typename Submit>
double TimeOf(Mlp* mlp, int steps, const Submit& submit) {
  std::vector<double> times;
  for (int round = 0; round < 8; ++round) {
    const double begin = Seconds();
    for (int i = 0; i < steps; ++i) submit(mlp);
    mlp->Synchronize();
    if (round > 0) times.push_back((Seconds() - begin) / steps);  // the first warms up
  }
  std::nth_element(times.begin(), times.begin() + 3, times.end());
  return times[3];
}

std::string NameOf(const Widths& widths) {
  std::string name;
  for (const int width : widths) name += (name.empty() ? "" : "-") + std::to_string(width);
  return name;
}

// A network with parameters and a batch.
std::unique_ptr<Mlp> Ready(const LoadedBackend& cuda, const Format& format, const Widths& widths,
                           const std::vector<float>& parameters, int rows) {
  std::mt19937 random(2);
  auto mlp = std::make_unique<Mlp>(*cuda.backend, format.Options(cuda.ordinal, 1), widths, rows);
  mlp->SetParameters(parameters);
  const Data data = MakeData(widths, rows, &random);
  mlp->SetBatch(data.features, data.labels);
  return mlp;
}

void TimeSteps(const LoadedBackend& cuda, const Widths& widths, const std::vector<int>& batches,
               int steps) {
  std::mt19937 random(1);
  const std::vector<float> parameters = MakeParameters(widths, &random);
  for (const Format& format : kFormats) {
    const double peak = cuda.backend->host_memory ? 0 : CublasPeakGflops(8192, format.products);
    std::printf("\nThe step alone, %s: cuBLAS' own peak (8192^3) %.0f GFLOP/s\n", format.name,
                peak);
    std::printf("%-28s %10s %12s %12s %8s\n", (NameOf(widths) + ", batch").c_str(), "us",
                "samples/s", "GFLOP/s", "of peak");
    for (const int rows : batches) {
      const auto mlp = Ready(cuda, format, widths, parameters, rows);
      const double seconds = TimeOf(mlp.get(), steps, [](Mlp* m) { m->Step(); });
      const double gflops = mlp->flops() / seconds / 1e9;
      std::printf("  %-26d %10.1f %12.0f %12.0f ", rows, seconds * 1e6, rows / seconds, gflops);
      std::printf(peak > 0 ? "%7.1f%%\n" : "      -\n", 100.0 * gflops / peak);
    }
  }
}

// What a step hides of the copies it needs: parameters in before each layer's forward, gradients
// out during backward.
void TimeCopies(const LoadedBackend& cuda, const Widths& widths, const std::vector<int>& batches,
                int steps) {
  std::mt19937 random(1);
  const std::vector<float> parameters = MakeParameters(widths, &random);
  std::printf("\nCopies of %.0f MB each way, layer by layer, overlapped with the step\n",
              parameters.size() * sizeof(float) / 1e6);
  std::printf("%-28s %10s %10s %10s %10s %8s\n", (NameOf(widths) + ", batch").c_str(), "products",
              "alone us", "copies us", "both us", "hidden");
  for (const Format& format : kFormats) {
    for (const int rows : batches) {
      const auto mlp = Ready(cuda, format, widths, parameters, rows);
      const double alone = TimeOf(mlp.get(), steps, [](Mlp* m) { m->Step(); });
      const double copies = TimeOf(mlp.get(), steps, [](Mlp* m) { m->CopiesOfAStep(); });
      const double both = TimeOf(mlp.get(), steps, [](Mlp* m) { m->StepWithCopies(); });
      std::printf("  %-26d %10s %10.1f %10.1f %10.1f %7.0f%%\n", rows, format.name, alone * 1e6,
                  copies * 1e6, both * 1e6, 100.0 * (1.0 - (both - alone) / copies));
    }
  }
}

int Main(int argc, char** argv) {
  LoadedBackend cuda;
  std::string error;
  const std::string device = argc > 2 ? argv[2] : "cuda";
  if (!LoadBackend({device, argc > 1 ? argv[1] : ""}, &cuda, &error)) {
    std::printf("SKIPPED: no CUDA device (%s)\n", error.c_str());
    return 0;
  }
  bool operations = CompareOperations(cuda);
  for (const Format& format : kFormats) operations = CompareProducts(cuda, format) && operations;
  const bool training = CompareTraining(cuda);
  const bool sums = CheckSums(*cuda.backend);
  if (argc > 3 && std::string(argv[3]) == "parity") {
    std::printf("\nNothing was timed: parity alone was asked for\n");
  } else if (cuda.backend->host_memory) {
    TimeSteps(cuda, kWideOnACpu, {32, 128}, 3);
    TimeCopies(cuda, kWideOnACpu, {32, 128}, 3);
  } else {
    TimeSteps(cuda, kWidths, {128, 512, 2048, 8192, 32768}, 100);
    TimeSteps(cuda, kWide, {128, 1024, 8192}, 10);
    TimeCopies(cuda, kWide, {128, 1024, 8192}, 10);
  }
  std::printf("\nparity: %s\n", operations && training && sums ? "PASSED" : "FAILED");
  return operations && training && sums ? 0 : 1;
}

}  // namespace
}  // namespace syncline

int main(int argc, char** argv) { return syncline::Main(argc, argv); }
