#include "worker/model/dropout.h"

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
  return device_->Run(&Backend::dropout, static_cast<size_t>(pass.rows) * units_,
                      pass.training ? rate_ : 0.0f, Mix(seed_ ^ Mix(pass.step)),
                      pass.first_row * units_, from, to);
}

absl::Status DropoutLayer::Forward(const Pass& pass, const float* x, float* y) {
  return Apply(pass, x, y);
}

absl::Status DropoutLayer::Backward(const Pass& pass, const float*, const float*, float* dy,
                                    float* dx, const GradientMade&) {
  return dx == nullptr ? absl::OkStatus() : Apply(pass, dy, dx);
}

}  // namespace syncline
