#include "worker/backend/cuda/cuda_device.h"

// Sums over blocks are added atomically: the last bits of a loss, which is only reported, may
// differ between runs. Gradients don't.

namespace syncline {
namespace {

constexpr int kRowsPerBlock = kThreads / kWarp;

// One warp a row.
__global__ void SoftmaxKernel(int rows, int classes, const float* logits, const int32_t* labels,
                              float scale, float* loss_sum, float* gradient) {
  const int lane = threadIdx.x % kWarp;
  const int step = gridDim.x * kRowsPerBlock;
  for (int r = blockIdx.x * kRowsPerBlock + threadIdx.x / kWarp; r < rows; r += step) {
    const float* row = logits + static_cast<size_t>(r) * classes;
    const int label = labels[r];
    const bool valid = label >= 0 && label < classes;
    float max = row[0];
    for (int c = lane; c < classes; c += kWarp) max = fmaxf(max, row[c]);
    max = WarpMax(max);
    float sum = 0.0f;
    for (int c = lane; c < classes; c += kWarp) sum += expf(row[c] - max);
    sum = WarpSum(sum);
    if (lane == 0) atomicAdd(loss_sum, valid ? logf(sum) + max - row[label] : nanf(""));
    if (gradient == nullptr) continue;
    float* out = gradient + static_cast<size_t>(r) * classes;
    const float factor = valid ? scale / sum : nanf("");
    for (int c = lane; c < classes; c += kWarp) {
      out[c] = expf(row[c] - max) * factor - (c == label ? scale : 0.0f);
    }
  }
}

__global__ void SquaresKernel(size_t n, const float* y, const float* target, float weight,
                              float factor, float* loss_sum, float* gradient) {
  float sum = 0.0f;
  for (size_t i = ThreadIndex(); i < n; i += ThreadCount()) {
    const float difference = y[i] - target[i];
    sum += difference * difference;
    if (gradient != nullptr) gradient[i] = factor * difference;
  }
  sum = WarpSum(sum);
  if (threadIdx.x % kWarp == 0) atomicAdd(loss_sum, sum * weight);
}

__global__ void LogisticKernel(int rows, const float* logits, const float* target, float scale,
                               float* loss_sum, float* gradient) {
  float sum = 0.0f;
  for (size_t i = ThreadIndex(); i < rows; i += ThreadCount()) {
    const float x = logits[i];
    sum += (x < 0.0f ? 0.0f : x) - x * target[i] + log1pf(expf(-fabsf(x)));
    if (gradient != nullptr) gradient[i] = scale * (1.0f / (1.0f + expf(-x)) - target[i]);
  }
  sum = WarpSum(sum);
  if (threadIdx.x % kWarp == 0) atomicAdd(loss_sum, sum);
}

// Before every loss: checks the shape, selects the device, zeroes the sum.
int Begin(BackendDevice* device, const char* operation, int rows, int cols, float* loss_sum) {
  if (rows < 0 || cols < 1) {
    return BackendFail(kBackendInvalid, "%s: shape [%d,%d] must be at least [0,1]", operation,
                       rows, cols);
  }
  if (const int code = Use(device)) return code;
  SYNCLINE_CUDA(cudaMemsetAsync(loss_sum, 0, sizeof(float), device->compute()));
  return kBackendOk;
}

int SoftmaxCrossEntropy(BackendDevice* device, int rows, int classes, const float* logits,
                        const int32_t* labels, float scale, float* loss_sum, float* gradient) {
  if (const int code = Begin(device, "softmax_cross_entropy", rows, classes, loss_sum)) return code;
  if (rows == 0) return kBackendOk;
  SoftmaxKernel<<<Blocks(rows, kRowsPerBlock), kThreads, 0, device->compute()>>>(
      rows, classes, logits, labels, scale, loss_sum, gradient);
  return CheckLaunch("softmax_cross_entropy");
}

int MeanSquaredError(BackendDevice* device, int rows, int cols, const float* y,
                     const float* target, float scale, float* loss_sum, float* gradient) {
  if (const int code = Begin(device, "mean_squared_error", rows, cols, loss_sum)) return code;
  const size_t n = static_cast<size_t>(rows) * cols;
  if (n == 0) return kBackendOk;
  SquaresKernel<<<Blocks(n), kThreads, 0, device->compute()>>>(
      n, y, target, 1.0f / cols, 2.0f * scale / cols, loss_sum, gradient);
  return CheckLaunch("mean_squared_error");
}

int LogisticLoss(BackendDevice* device, int rows, const float* logits, const float* target,
                 float scale, float* loss_sum, float* gradient) {
  if (const int code = Begin(device, "logistic_loss", rows, 1, loss_sum)) return code;
  if (rows == 0) return kBackendOk;
  LogisticKernel<<<Blocks(rows), kThreads, 0, device->compute()>>>(rows, logits, target, scale,
                                                                   loss_sum, gradient);
  return CheckLaunch("logistic_loss");
}

}  // namespace

void AddLosses(Backend* table) {
  table->softmax_cross_entropy = SoftmaxCrossEntropy;
  table->mean_squared_error = MeanSquaredError;
  table->logistic_loss = LogisticLoss;
}

}  // namespace syncline
