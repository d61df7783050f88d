#include <cmath>
#include <limits>

#include "worker/backend/cpu/operations.h"
#include "worker/backend/cpu/vector_math.h"
#include "worker/backend/cpu/vectorise.h"
#include "worker/backend/error.h"

namespace syncline {
namespace {

int CheckShape(const char* operation, int rows, int cols) {
  if (rows >= 0 && cols >= 1) return kBackendOk;
  return BackendFail(kBackendInvalid, "%s: shape [%d,%d] must be at least [0,1]", operation, rows,
                     cols);
}

// sum of exp(logit - max) of a row; e (may be null) gets the terms.
float ExpSum(int classes, const float* logits, float max, float* e) {
  float sum = 0.0f;
  Vectorise([=, &sum]() SYNCLINE_INLINE {
    float s = 0.0f;
    if (e == nullptr) {
#pragma omp simd reduction(+ : s)
      for (int c = 0; c < classes; ++c) s += FastExp(logits[c] - max);
    } else {
#pragma omp simd reduction(+ : s)
      for (int c = 0; c < classes; ++c) {
        e[c] = FastExp(logits[c] - max);
        s += e[c];
      }
    }
    sum = s;
  });
  return sum;
}

float RowMax(int n, const float* x) {
  float max = x[0];
  for (int i = 1; i < n; ++i) max = x[i] > max ? x[i] : max;
  return max;
}

void Multiply(int n, float factor, float* x) {
  Vectorise([=]() SYNCLINE_INLINE {
    for (int i = 0; i < n; ++i) x[i] *= factor;
  });
}

int SoftmaxCrossEntropy(BackendDevice*, int rows, int classes, const float* logits,
                        const int32_t* labels, float scale, float* loss_sum, float* gradient) {
  if (const int code = CheckShape("softmax_cross_entropy", rows, classes)) return code;
  double loss = 0.0;
  for (int r = 0; r < rows; ++r) {
    const float* row = logits + static_cast<size_t>(r) * classes;
    float* out = gradient == nullptr ? nullptr : gradient + static_cast<size_t>(r) * classes;
    const bool valid = labels[r] >= 0 && labels[r] < classes;
    const float max = RowMax(classes, row);
    const float sum = ExpSum(classes, row, max, out);
    loss += valid ? std::log(sum) + max - row[labels[r]] : std::numeric_limits<float>::quiet_NaN();
    if (out == nullptr) continue;
    Multiply(classes, valid ? scale / sum : std::numeric_limits<float>::quiet_NaN(), out);
    if (valid) out[labels[r]] -= scale;
  }
  *loss_sum = static_cast<float>(loss);
  return kBackendOk;
}

int MeanSquaredError(BackendDevice*, int rows, int cols, const float* y, const float* target,
                     float scale, float* loss_sum, float* gradient) {
  if (const int code = CheckShape("mean_squared_error", rows, cols)) return code;
  const size_t n = static_cast<size_t>(rows) * cols;
  double squares = 0.0;
  Vectorise([=, &squares]() SYNCLINE_INLINE {
    double s = 0.0;
#pragma omp simd reduction(+ : s)
    for (size_t i = 0; i < n; ++i) {
      const double difference = static_cast<double>(y[i]) - target[i];
      s += difference * difference;
    }
    squares = s;
  });
  *loss_sum = static_cast<float>(squares / cols);
  if (gradient == nullptr) return kBackendOk;
  const float factor = 2.0f * scale / cols;
  Vectorise([=]() SYNCLINE_INLINE {
    for (size_t i = 0; i < n; ++i) gradient[i] = factor * (y[i] - target[i]);
  });
  return kBackendOk;
}

// With target t, the loss of logit x is max(x, 0) - x t + log(1 + e^-|x|), which never overflows.
int LogisticLoss(BackendDevice*, int rows, const float* logits, const float* target, float scale,
                 float* loss_sum, float* gradient) {
  if (const int code = CheckShape("logistic_loss", rows, 1)) return code;
  double loss = 0.0;
  for (int r = 0; r < rows; ++r) {
    const double x = logits[r];
    loss += (x < 0.0 ? 0.0 : x) - x * target[r] + std::log1p(std::exp(-std::fabs(x)));
  }
  *loss_sum = static_cast<float>(loss);
  if (gradient == nullptr) return kBackendOk;
  Vectorise([=]() SYNCLINE_INLINE {
    for (int r = 0; r < rows; ++r) gradient[r] = scale * (FastSigmoid(logits[r]) - target[r]);
  });
  return kBackendOk;
}

int CountCorrect(BackendDevice*, int rows, int classes, const float* logits, const int32_t* labels,
                 int32_t* correct) {
  if (const int code = CheckShape("count_correct", rows, classes)) return code;
  int32_t count = 0;
  for (int r = 0; r < rows; ++r) {
    const float* row = logits + static_cast<size_t>(r) * classes;
    int best = 0;
    for (int c = 1; c < classes; ++c) {
      if (row[c] > row[best]) best = c;
    }
    count += best == labels[r] ? 1 : 0;
  }
  *correct = count;
  return kBackendOk;
}

int CountCorrectLogistic(BackendDevice*, int rows, const float* logits, const float* target,
                         int32_t* correct) {
  if (const int code = CheckShape("count_correct_logistic", rows, 1)) return code;
  int32_t count = 0;
  for (int r = 0; r < rows; ++r) count += (logits[r] > 0.0f) == (target[r] > 0.5f) ? 1 : 0;
  *correct = count;
  return kBackendOk;
}

}  // namespace

void AddLosses(Backend* table) {
  table->softmax_cross_entropy = SoftmaxCrossEntropy;
  table->mean_squared_error = MeanSquaredError;
  table->logistic_loss = LogisticLoss;
  table->count_correct = CountCorrect;
  table->count_correct_logistic = CountCorrectLogistic;
}

}  // namespace syncline
