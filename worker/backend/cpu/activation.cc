#include "worker/backend/cpu/operations.h"
#include "worker/backend/cpu/vector_math.h"
#include "worker/backend/cpu/vectorise.h"
#include "worker/backend/error.h"

namespace syncline {
namespace {

constexpr float kGeluScale = 0.797884560802865f;  // sqrt(2 / pi)
constexpr float kGeluCubic = 0.044715f;

// One activation: Forward(x), and Backward(x, y), the derivative at x, where y = Forward(x).
struct Identity {
  static SYNCLINE_INLINE float Forward(float x) { return x; }
  static SYNCLINE_INLINE float Backward(float, float) { return 1.0f; }
};

struct Relu {  // written so that NaN stays NaN
  static SYNCLINE_INLINE float Forward(float x) { return x < 0.0f ? 0.0f : x; }
  static SYNCLINE_INLINE float Backward(float, float y) { return y > 0.0f ? 1.0f : 0.0f; }
};

struct Gelu {
  static SYNCLINE_INLINE float Tanh(float x) {
    return FastTanh(kGeluScale * (x + kGeluCubic * x * x * x));
  }
  static SYNCLINE_INLINE float Forward(float x) { return 0.5f * x * (1.0f + Tanh(x)); }
  static SYNCLINE_INLINE float Backward(float x, float) {
    const float t = Tanh(x);
    const float slope = kGeluScale * (1.0f + 3.0f * kGeluCubic * x * x);
    return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * slope;
  }
};

struct Tanh {
  static SYNCLINE_INLINE float Forward(float x) { return FastTanh(x); }
  static SYNCLINE_INLINE float Backward(float, float y) { return 1.0f - y * y; }
};

struct Sigmoid {
  static SYNCLINE_INLINE float Forward(float x) { return FastSigmoid(x); }
  static SYNCLINE_INLINE float Backward(float, float y) { return y * (1.0f - y); }
};

template <typename F>
void BiasForward(size_t rows, size_t cols, const float* bias, float* x, float* y) {
  if (bias == nullptr) {
    const size_t n = rows * cols;
    return Vectorise([=]() SYNCLINE_INLINE {
      for (size_t i = 0; i < n; ++i) y[i] = F::Forward(x[i]);
    });
  }
  // The test for y == x is worth a second loop: one stream of stores instead of two.
  Vectorise([=]() SYNCLINE_INLINE {
    for (size_t r = 0; r < rows; ++r) {
      float* x_row = x + r * cols;
      float* y_row = y + r * cols;
      if (x_row == y_row) {
        for (size_t c = 0; c < cols; ++c) x_row[c] = F::Forward(x_row[c] + bias[c]);
      } else {
        for (size_t c = 0; c < cols; ++c) {
          x_row[c] += bias[c];
          y_row[c] = F::Forward(x_row[c]);
        }
      }
    }
  });
}

template <typename F>
void Backward(size_t n, const float* x, const float* y, const float* dy, float* dx) {
  // A pointer that this activation doesn't read may be null; give the loop one that it can.
  if (x == nullptr) x = dy;
  if (y == nullptr) y = dy;
  Vectorise([=]() SYNCLINE_INLINE {
    for (size_t i = 0; i < n; ++i) dx[i] = dy[i] * F::Backward(x[i], y[i]);
  });
}

// Calls body(F()) for the activation of that number.
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

int BiasActivation(BackendDevice*, int activation, int rows, int cols, const float* bias, float* x,
                   float* y) {
  if (rows < 0 || cols < 0) {
    return BackendFail(kBackendInvalid, "bias_activation: shape [%d,%d] is negative", rows, cols);
  }
  return ForActivation(activation,
                       [=](auto f) { BiasForward<decltype(f)>(rows, cols, bias, x, y); });
}

int ActivationBackward(BackendDevice*, int activation, size_t n, const float* x, const float* y,
                       const float* dy, float* dx) {
  return ForActivation(activation, [=](auto f) { Backward<decltype(f)>(n, x, y, dy, dx); });
}

int Add(BackendDevice*, size_t n, const float* x, float* y) {
  Vectorise([=]() SYNCLINE_INLINE {
    for (size_t i = 0; i < n; ++i) y[i] += x[i];
  });
  return kBackendOk;
}

}  // namespace

void AddActivations(Backend* table) {
  table->add = Add;
  table->bias_activation = BiasActivation;
  table->activation_backward = ActivationBackward;
}

}  // namespace syncline
