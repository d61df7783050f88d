#include "worker/backend/cpu/plain_gemm.h"

#include "gtest/gtest.h"
#include "worker/backend/conformance/conformance.h"
#include "worker/backend/reference/reference_backend.h"

namespace syncline {
namespace {

TEST(PlainGemmTest, AgreesWithTheFormula) {
  Backend plain = *ReferenceBackend();
  plain.gemm = [](BackendDevice*, int ta, int tb, int m, int n, int k, float alpha, const float* a,
                  const float* b, float beta, float* c) -> int {
    PlainGemm(ta != 0, tb != 0, m, n, k, alpha, a, b, beta, c);
    return kBackendOk;
  };
  for (const ConformanceResult& result : CompareBackends(plain, *ReferenceBackend())) {
    EXPECT_TRUE(result.passed()) << result.operation << " " << result.failure;
  }
}

}  // namespace
}  // namespace syncline
