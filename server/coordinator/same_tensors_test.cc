#include "server/coordinator/same_tensors.h"

#include <vector>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

std::vector<TensorSpec> Tensors() {
  std::vector<TensorSpec> tensors(2);
  tensors[0].set_name("weight");
  tensors[0].add_shape(3);
  tensors[1].set_name("rows");
  tensors[1].mutable_table()->set_dim(4);
  return tensors;
}

absl::Status Check(const std::vector<TensorSpec>& want) {
  ShardMap have;
  for (const TensorSpec& tensor : Tensors()) *have.add_tensors() = tensor;
  return CheckSameTensors(have, want, "the running job");
}

TEST(SameTensorsTest, TakesTheSameAndTablesThatLearnInAnotherWay) {
  SYNCLINE_EXPECT_OK(Check(Tensors()));
  std::vector<TensorSpec> tensors = Tensors();
  tensors[1].mutable_table()->mutable_optimizer()->set_learning_rate(7);
  SYNCLINE_EXPECT_OK(Check(tensors));
}

TEST(SameTensorsTest, NamesWhatIsAnother) {
  std::vector<TensorSpec> tensors = Tensors();
  tensors[0].set_shape(0, 4);
  EXPECT_THAT(Check(tensors), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("tensor weight")));
  tensors = Tensors();
  tensors[1].mutable_table()->set_dim(5);
  EXPECT_THAT(Check(tensors),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("table rows: dim is 5, and was 4 in the running")));
  tensors.pop_back();
  EXPECT_THAT(Check(tensors), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("has 1 tensors, the running job 2")));
}

}  // namespace
}  // namespace syncline
