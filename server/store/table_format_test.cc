#include "server/store/table_format.h"

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

size_t Stride(RowStorage storage, RowOptimizerKind kind) {
  Table table;
  table.set_dim(4);
  table.set_storage(storage);
  table.mutable_optimizer()->set_kind(kind);
  const auto format = FormatOf(table);
  SYNCLINE_EXPECT_OK(format.status());
  return format.ok() ? format->stride() : 0;
}

// Key and counts take 16 bytes.
TEST(TableFormatTest, IsThatOfTheStorageAndTheOptimizer) {
  EXPECT_EQ(Stride(ROW_STORAGE_FP32, ROW_OPTIMIZER_SGD), 16u + 16);
  EXPECT_EQ(Stride(ROW_STORAGE_FP16, ROW_OPTIMIZER_SGD), 16u + 8);
  EXPECT_EQ(Stride(ROW_STORAGE_BF16, ROW_OPTIMIZER_SGD), 16u + 8);
  EXPECT_EQ(Stride(ROW_STORAGE_INT8, ROW_OPTIMIZER_SGD), 16u + 8);
  EXPECT_EQ(Stride(ROW_STORAGE_FP32, ROW_OPTIMIZER_ADAGRAD), 16u + 32);
  EXPECT_EQ(Stride(ROW_STORAGE_FP32, ROW_OPTIMIZER_ROWWISE_ADAGRAD), 16u + 20);
  EXPECT_EQ(Stride(ROW_STORAGE_FP32, ROW_OPTIMIZER_ADAM), 16u + 48);
}

TEST(TableFormatTest, NamesAnOptimizerOutOfRange) {
  Table table;
  table.set_dim(1);
  table.mutable_optimizer()->set_beta2(2);
  EXPECT_THAT(FormatOf(table).status(), StatusIs(absl::StatusCode::kInvalidArgument, testing::HasSubstr("beta2")));
}

}  // namespace
}  // namespace syncline
