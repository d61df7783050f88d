// Samples a second of forward and backward of the MLP 784-512-256-10, batch 128, on one CPU thread,
// beside its products alone: what OpenBLAS reaches with the same sizes and nothing between.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "tests/bench/measure.h"
#include "worker/backend/cpu/cpu_backend.h"
#include "worker/model/network.h"

namespace syncline {
namespace {

constexpr int kRows = 128;
constexpr int kWidths[] = {784, 512, 256, 10};
constexpr int kRounds = 21;
constexpr int kSteps = 20;

Model Mlp() {
  Model model;
  model.set_input(kWidths[0]);
  for (int i = 1; i < 4; ++i) {
    model.add_layers()->mutable_linear()->set_units(kWidths[i]);
    if (i < 3) model.add_layers()->mutable_relu();
  }
  return model;
}

// How long one of kSteps takes.
double SecondsAStep(const std::function<void()>& body) {
  return Seconds([&body] {
           for (int i = 0; i < kSteps; ++i) body();
         }) / kSteps;
}

// One measurement in the form that tests/bench/run reads.
void Report(const char* name, double value, const char* unit, double reference, double at_least) {
  std::printf(
      "{\"group\": \"model\", \"name\": \"%s\", \"value\": %.1f, \"unit\": \"%s\", "
      "\"reference\": %.1f, \"ratio\": %.3f, \"at_least\": %.2f}\n",
      name, value, unit, reference, value / reference, at_least);
}

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::fprintf(stderr, "%s\n", value.status().ToString().c_str());
  std::exit(1);
}

class Products {
 public:
  explicit Products(const Device* device) : device_(device) {
    for (int i = 0; i < 4; ++i) {
      outputs_.emplace_back(kRows * kWidths[i], 0.5f);
      slopes_.emplace_back(kRows * kWidths[i], 0.5f);
      if (i == 0) continue;
      weights_.emplace_back(kWidths[i] * kWidths[i - 1], 0.01f);
      gradients_.emplace_back(kWidths[i] * kWidths[i - 1]);
    }
  }

  void Step() {
    for (int i = 0; i < 3; ++i) {
      Gemm(0, 1, kRows, kWidths[i + 1], kWidths[i], outputs_[i], weights_[i], &outputs_[i + 1]);
    }
    for (int i = 2; i >= 0; --i) {
      Gemm(1, 0, kWidths[i + 1], kWidths[i], kRows, slopes_[i + 1], outputs_[i], &gradients_[i]);
      if (i == 0) break;
      Gemm(0, 0, kRows, kWidths[i], kWidths[i + 1], slopes_[i + 1], weights_[i], &slopes_[i]);
    }
  }

 private:
  void Gemm(int ta, int tb, int m, int n, int k, const std::vector<float>& a,
            const std::vector<float>& b, std::vector<float>* c) {
    const float zero = 0.0f, small = 0.01f;
    device_->Run(&Backend::gemm, ta, tb, m, n, k, small, a.data(), b.data(), zero, c->data())
        .IgnoreError();
  }

  const Device* device_;
  std::vector<std::vector<float>> outputs_, slopes_, weights_, gradients_;
};

int Main() {
  const std::unique_ptr<Device> device = Must(Device::Open(CpuBackend()));
  const auto network = Must(Network::Create(Mlp(), device.get(), kRows, 1));
  for (size_t p = 0; p < network->parameters().size(); ++p) {
    for (int64_t i = 0; i < network->parameters()[p].size(); ++i) {
      network->value(p)[i] = static_cast<float>(i * 7919 % 1000) * 1e-4f - 0.05f;
    }
  }
  const std::vector<float> features(kRows * kWidths[0], 0.3f);
  const std::vector<int32_t> labels(kRows, 4);
  const Batch batch = {kRows, features.data(), labels.data(), nullptr, 0, 0};
  Products products(device.get());

  std::vector<double> steps, alone;
  for (int round = 0; round < kRounds; ++round) {
    steps.push_back(SecondsAStep([&] {
      network->Forward(batch).IgnoreError();
      network->Backward().IgnoreError();
    }));
    alone.push_back(SecondsAStep([&] { products.Step(); }));
  }
  double flops = 0.0;
  for (int i = 0; i < 3; ++i) flops += 2.0 * kRows * kWidths[i] * kWidths[i + 1] * (i ? 3 : 2);
  const double step = Median(steps), product = Median(alone);
  std::fprintf(stderr, "%s\n", device->Describe().c_str());
  Report("forward and backward", kRows / step, "samples/s", kRows / product, 0.95);
  Report("forward and backward", flops / step / 1e9, "GFLOP/s", flops / product / 1e9, 0.95);
  return 0;
}

}  // namespace
}  // namespace syncline

int main() { return syncline::Main(); }
