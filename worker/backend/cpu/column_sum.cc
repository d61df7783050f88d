#include <algorithm>

#include "worker/backend/cpu/operations.h"
#include "worker/backend/cpu/vectorise.h"
#include "worker/backend/error.h"

namespace syncline {
namespace {

// Columns are summed a block at a time, so that the block's sums stay in the first-level cache.
constexpr size_t kBlock = 1024;

void SumBlock(size_t rows, size_t stride, size_t cols, const float* x, float* sum) {
  Vectorise([=]() SYNCLINE_INLINE {
    for (size_t r = 0; r < rows; ++r) {
      const float* row = x + r * stride;
      for (size_t c = 0; c < cols; ++c) sum[c] += row[c];
    }
  });
}

int ColumnSum(BackendDevice*, int rows, int cols, int add, const float* x, float* sum) {
  if (rows < 0 || cols < 0) {
    return BackendFail(kBackendInvalid, "column_sum: shape [%d,%d] is negative", rows, cols);
  }
  const size_t width = cols;
  if (!add) std::fill_n(sum, width, 0.0f);
  for (size_t c = 0; c < width; c += kBlock) {
    SumBlock(rows, width, std::min(kBlock, width - c), x + c, sum + c);
  }
  return kBackendOk;
}

}  // namespace

void AddColumnSum(Backend* table) { table->column_sum = ColumnSum; }

}  // namespace syncline
