#include "common/config/field_log.h"

#include "common/status/status_matchers.h"

namespace syncline {
namespace {

using ::testing::Eq;
using ::testing::HasSubstr;

TEST(FieldLogTest, IsOkWithoutProblems) { SYNCLINE_EXPECT_OK(FieldLog("f").ToStatus()); }

TEST(FieldLogTest, FindsTheNearestOrigin) {
  FieldLog log("f:1:1");
  log.SetOrigin("model", "f:2:1");
  log.SetOrigin("model.layers[3]", "f:9:5");
  log.AddProblem("model.layers[3].linear.units", "a");
  log.AddProblem("model.input", "b");
  log.AddProblem("name", "c");
  EXPECT_THAT(log.ToStatus(), StatusIs(absl::StatusCode::kInvalidArgument,
                                       Eq("f:9:5: model.layers[3].linear.units: a\n"
                                          "f:2:1: model.input: b\n"
                                          "f:1:1: name: c")));
}

TEST(FieldLogTest, DoesNotRepeatTheFieldAfterItsFlag) {
  FieldLog log("f");
  log.SetOrigin("data.mean", "--data_mean");
  log.AddProblem("data.mean", "a");
  log.AddProblemAt("--model_layers:1:3", "model.layers[0]", "b");
  EXPECT_THAT(log.ToStatus(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       Eq("--data_mean: a\n--model_layers:1:3: model.layers[0]: b")));
}

TEST(FieldLogTest, ShowsTwentyAtMost) {
  FieldLog log("f");
  for (int i = 0; i < 25; ++i) log.AddProblem("x", "bad");
  EXPECT_THAT(log.ToStatus(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\n... and 5 more")));
}

}  // namespace
}  // namespace syncline
