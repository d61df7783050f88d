#include "common/cluster/tables.h"

#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(TablesTest, SaysWhatDiffersOfStoredRows) {
  Table was;
  was.set_dim(4);
  was.set_slots(8);
  was.mutable_optimizer()->set_kind(ROW_OPTIMIZER_ADAM);
  Table is = was;
  is.mutable_optimizer()->set_learning_rate(7);
  is.set_capacity(9);
  EXPECT_EQ(Difference(was, is), "");
  is.set_slots(9);
  EXPECT_EQ(Difference(was, is), "slots is 9, and was 8");
  is = was;
  is.set_storage(ROW_STORAGE_INT8);
  EXPECT_EQ(Difference(was, is), "storage is ROW_STORAGE_INT8, and was ROW_STORAGE_UNSPECIFIED");
  is = was;
  is.mutable_optimizer()->set_exact(true);
  EXPECT_EQ(Difference(was, is), "optimizer.exact is 1, and was 0");
}

}  // namespace
}  // namespace syncline
