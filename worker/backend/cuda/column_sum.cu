#include "worker/backend/cuda/cuda_device.h"

namespace syncline {
namespace {

constexpr int kRowsAtOnce = 32;

// A block sums 32 columns: warp w takes rows w, w + 32, ..., lane l column l of the 32.
__global__ void ColumnSumKernel(int rows, int cols, bool add, const float* x, float* sum) {
  __shared__ float partial[kRowsAtOnce][kWarp + 1];
  const int column = blockIdx.x * kWarp + threadIdx.x;
  float mine = 0.0f;
  if (column < cols) {
    for (int r = threadIdx.y; r < rows; r += kRowsAtOnce) {
      mine += x[static_cast<size_t>(r) * cols + column];
    }
  }
  partial[threadIdx.y][threadIdx.x] = mine;
  __syncthreads();
  // Turned by 90 degrees, a warp holds all parts of one column.
  const float total = WarpSum(partial[threadIdx.x][threadIdx.y]);
  const int turned = blockIdx.x * kWarp + threadIdx.y;
  if (threadIdx.x == 0 && turned < cols) sum[turned] = add ? sum[turned] + total : total;
}

int ColumnSum(BackendDevice* device, int rows, int cols, int add, const float* x, float* sum) {
  if (rows < 0 || cols < 0) {
    return BackendFail(kBackendInvalid, "column_sum: shape [%d,%d] is negative", rows, cols);
  }
  if (cols == 0) return kBackendOk;
  if (const int code = Use(device)) return code;
  const dim3 threads(kWarp, kRowsAtOnce);
  ColumnSumKernel<<<(cols + kWarp - 1) / kWarp, threads, 0, device->compute()>>>(
      rows, cols, add != 0, x, sum);
  return CheckLaunch("column_sum");
}

}  // namespace

void AddColumnSum(Backend* table) { table->column_sum = ColumnSum; }

}  // namespace syncline
