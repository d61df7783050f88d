#include "worker/backend/cuda/cuda_device.h"

namespace syncline {
namespace {

// One thread a row: it runs once an evaluation, not once a step.
__global__ void CountKernel(int rows, int classes, const float* logits, const int32_t* labels,
                            int32_t* correct) {
  for (size_t r = ThreadIndex(); r < rows; r += ThreadCount()) {
    const float* row = logits + r * classes;
    int best = 0;
    for (int c = 1; c < classes; ++c) {
      if (row[c] > row[best]) best = c;
    }
    if (best == labels[r]) atomicAdd(correct, 1);
  }
}

__global__ void CountLogisticKernel(int rows, const float* logits, const float* target,
                                    int32_t* correct) {
  for (size_t r = ThreadIndex(); r < rows; r += ThreadCount()) {
    if ((logits[r] > 0.0f) == (target[r] > 0.5f)) atomicAdd(correct, 1);
  }
}

int Begin(BackendDevice* device, const char* operation, int rows, int cols, int32_t* correct) {
  if (rows < 0 || cols < 1) {
    return BackendFail(kBackendInvalid, "%s: shape [%d,%d] must be at least [0,1]", operation,
                       rows, cols);
  }
  if (const int code = Use(device)) return code;
  SYNCLINE_CUDA(cudaMemsetAsync(correct, 0, sizeof(int32_t), device->compute()));
  return kBackendOk;
}

int CountCorrect(BackendDevice* device, int rows, int classes, const float* logits,
                 const int32_t* labels, int32_t* correct) {
  if (const int code = Begin(device, "count_correct", rows, classes, correct)) return code;
  if (rows == 0) return kBackendOk;
  CountKernel<<<Blocks(rows), kThreads, 0, device->compute()>>>(rows, classes, logits, labels,
                                                                correct);
  return CheckLaunch("count_correct");
}

int CountCorrectLogistic(BackendDevice* device, int rows, const float* logits, const float* target,
                         int32_t* correct) {
  if (const int code = Begin(device, "count_correct_logistic", rows, 1, correct)) return code;
  if (rows == 0) return kBackendOk;
  CountLogisticKernel<<<Blocks(rows), kThreads, 0, device->compute()>>>(rows, logits, target,
                                                                        correct);
  return CheckLaunch("count_correct_logistic");
}

}  // namespace

void AddCounts(Backend* table) {
  table->count_correct = CountCorrect;
  table->count_correct_logistic = CountCorrectLogistic;
}

}  // namespace syncline
