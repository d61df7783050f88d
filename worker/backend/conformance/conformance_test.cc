#include "worker/backend/conformance/conformance.h"

#include <iostream>
#include <string>

#include "gtest/gtest.h"
#include "worker/backend/conformance/group_conformance.h"
#include "worker/backend/cpu/cpu_backend.h"
#include "worker/backend/loader.h"
#include "worker/backend/reference/reference_backend.h"

namespace syncline {
namespace {

void ExpectAgreement(const Backend& tested, const Backend& expected) {
  const auto results = CompareBackends(tested, expected);
  EXPECT_GE(results.size(), 18u);
  for (const ConformanceResult& result : results) {
    EXPECT_TRUE(result.passed()) << result.operation << " " << result.failure;
    std::cout << result.operation << ": " << result.cases << " cases, worst difference "
              << result.worst << "\n";
  }
}

TEST(ConformanceTest, CpuAgreesWithTheFormulas) {
  ExpectAgreement(*CpuBackend(), *ReferenceBackend());
}

TEST(ConformanceTest, CudaAgreesWithTheCpu) {
  LoadedBackend loaded;
  std::string error;
  if (!LoadBackend({"cuda", ""}, &loaded, &error)) {
    std::cout << "SKIPPED: no CUDA device: " << error << "\n";
    GTEST_SKIP() << "SKIPPED: no CUDA device";
  }
  ExpectAgreement(*loaded.backend, *CpuBackend());
}

TEST(ConformanceTest, CudaSumsAmongDevices) {
  LoadedBackend loaded;
  std::string error;
  if (!LoadBackend({"cuda", ""}, &loaded, &error)) {
    std::cout << "SKIPPED: no CUDA device: " << error << "\n";
    GTEST_SKIP() << "SKIPPED: no CUDA device";
  }
  int devices = 0;
  ASSERT_EQ(loaded.backend->device_count(&devices), kBackendOk);
  const GroupConformance result = CheckGroups(*loaded.backend, devices);
  EXPECT_EQ(result.failure, "");
  if (!result.skipped.empty()) GTEST_SKIP() << "SKIPPED: no sums among GPUs: " << result.skipped;
}

// The suite must be able to fail: a backend with one wrong operation is caught, by its name.
TEST(ConformanceTest, AWrongOperationIsFound) {
  Backend wrong = *ReferenceBackend();
  wrong.column_sum = [](BackendDevice*, int rows, int cols, int, const float* x,
                        float* sum) -> int {
    for (int c = 0; c < cols; ++c) {
      sum[c] = 0.0f;
      for (int r = 0; r + 1 < rows; ++r) sum[c] += x[r * cols + c];  // forgets the last row
    }
    return kBackendOk;
  };
  for (const ConformanceResult& result : CompareBackends(wrong, *ReferenceBackend())) {
    EXPECT_EQ(result.passed(), result.operation != "column_sum") << result.operation;
  }
}

}  // namespace
}  // namespace syncline
