#include "worker/backend/cuda/cuda_device.h"

namespace syncline {
namespace {

constexpr float kGeluScale = 0.797884560802865f;  // sqrt(2 / pi)
constexpr float kGeluCubic = 0.044715f;

// As in worker/backend/cpu/activation.cc.
struct Identity {
  static __device__ float Forward(float x) { return x; }
  static __device__ float Backward(float, float) { return 1.0f; }
};

struct Relu {
  static __device__ float Forward(float x) { return x < 0.0f ? 0.0f : x; }
  static __device__ float Backward(float, float y) { return y > 0.0f ? 1.0f : 0.0f; }
};

struct Gelu {
  static __device__ float Tanh(float x) {
    return tanhf(kGeluScale * (x + kGeluCubic * x * x * x));
  }
  static __device__ float Forward(float x) { return 0.5f * x * (1.0f + Tanh(x)); }
  static __device__ float Backward(float x, float) {
    const float t = Tanh(x);
    const float slope = kGeluScale * (1.0f + 3.0f * kGeluCubic * x * x);
    return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * slope;
  }
};

struct Tanh {
  static __device__ float Forward(float x) { return tanhf(x); }
  static __device__ float Backward(float, float y) { return 1.0f - y * y; }
};

struct Sigmoid {
  static __device__ float Forward(float x) { return 1.0f / (1.0f + expf(-x)); }
  static __device__ float Backward(float, float y) { return y * (1.0f - y); }
};

template <typename F>
__global__ void ForwardKernel(size_t n, int cols, const float* bias, float* x, float* y) {
  for (size_t i = ThreadIndex(); i < n; i += ThreadCount()) {
    float value = x[i];
    if (bias != nullptr) {
      value += bias[i % cols];
      if (x != y) x[i] = value;
    }
    y[i] = F::Forward(value);
  }
}

// x or y is null where F doesn't read it.
template <typename F>
__global__ void BackwardKernel(size_t n, const float* x, const float* y, const float* dy,
                               float* dx) {
  for (size_t i = ThreadIndex(); i < n; i += ThreadCount()) {
    dx[i] = dy[i] * F::Backward(x == nullptr ? 0.0f : x[i], y == nullptr ? 0.0f : y[i]);
  }
}

template <typename Body>
int ForActivation(int activation, const Body& body) {
  switch (activation) {
    case kIdentity:
      body(Identity());
      return kBackendOk;
    case kRelu:
      body(Relu());
      return kBackendOk;
    case kGelu:
      body(Gelu());
      return kBackendOk;
    case kTanh:
      body(Tanh());
      return kBackendOk;
    case kSigmoid:
      body(Sigmoid());
      return kBackendOk;
  }
  return BackendFail(kBackendInvalid, "there is no activation %d", activation);
}

int BiasActivation(BackendDevice* device, int activation, int rows, int cols, const float* bias,
                   float* x, float* y) {
  if (rows < 0 || cols < 0) {
    return BackendFail(kBackendInvalid, "bias_activation: shape [%d,%d] is negative", rows, cols);
  }
  const size_t n = static_cast<size_t>(rows) * cols;
  if (n == 0) return kBackendOk;
  if (const int code = Use(device)) return code;
  const int code = ForActivation(activation, [=](auto f) {
    ForwardKernel<decltype(f)><<<Blocks(n), kThreads, 0, device->compute()>>>(n, cols, bias, x, y);
  });
  return code != kBackendOk ? code : CheckLaunch("bias_activation");
}

int ActivationBackward(BackendDevice* device, int activation, size_t n, const float* x,
                       const float* y, const float* dy, float* dx) {
  if (n == 0) return kBackendOk;
  if (const int code = Use(device)) return code;
  const int code = ForActivation(activation, [=](auto f) {
    BackwardKernel<decltype(f)><<<Blocks(n), kThreads, 0, device->compute()>>>(n, x, y, dy, dx);
  });
  return code != kBackendOk ? code : CheckLaunch("activation_backward");
}

__global__ void AddKernel(size_t n, const float* x, float* y) {
  for (size_t i = ThreadIndex(); i < n; i += ThreadCount()) y[i] += x[i];
}

int Add(BackendDevice* device, size_t n, const float* x, float* y) {
  if (n == 0) return kBackendOk;
  if (const int code = Use(device)) return code;
  AddKernel<<<Blocks(n), kThreads, 0, device->compute()>>>(n, x, y);
  return CheckLaunch("add");
}

}  // namespace

void AddActivations(Backend* table) {
  table->add = Add;
  table->bias_activation = BiasActivation;
  table->activation_backward = ActivationBackward;
}

}  // namespace syncline
