#include "worker/model/dropout.h"

#include "common/status/status_macros.h"

namespace syncline {
namespace {

// splitmix64's output function (Steele et al. 2014): neighbouring steps get unrelated keys.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace

absl::Status DropoutLayer::Prepare(const Device* device, int, int, LayerTensors) {
  device_ = device;
  return absl::OkStatus();
}

absl::Status DropoutLayer::Apply(const Pass& pass, const float* from, float* to) const {
  const float rate = pass.training ? rate_ : 0.0f;
  const uint64_t seed = Mix(seed_ ^ Mix(pass.step));
  const uint64_t first = pass.first_row * positions_, rows = static_cast<uint64_t>(pass.rows) * positions_;
  const uint64_t width = columns_.whole(), here = columns_.here();
  if (!columns_.split()) {
    return device_->Run(&Backend::dropout, rows * width, rate, seed, first * width, from, to);
  }
  for (uint64_t r = 0; r < rows; ++r) {
    SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::dropout, here, rate, seed, (first + r) * width + columns_.begin,
                                          from + r * here, to + r * here));
  }
  return absl::OkStatus();
}

absl::Status DropoutLayer::Forward(const Pass& pass, const float* x, float* y) {
  return Apply(pass, x, y);
}

absl::Status DropoutLayer::Backward(const Pass& pass, const float*, const float*, float* dy,
                                    float* dx, const GradientMade&) {
  return dx == nullptr ? absl::OkStatus() : Apply(pass, dy, dx);
}

}  // namespace syncline
