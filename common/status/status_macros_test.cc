#include "common/status/status_macros.h"

#include <memory>

#include "common/status/status_matchers.h"

namespace syncline {
namespace {

using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::Not;

absl::StatusOr<int> Half(int n) {
  if (n % 2 != 0) return absl::InvalidArgumentError("odd");
  return n / 2;
}

absl::StatusOr<int> Quarter(int n) {
  SYNCLINE_ASSIGN_OR_RETURN(const int half, Half(n));
  SYNCLINE_ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

absl::Status Check(int n, bool* finished) {
  SYNCLINE_RETURN_IF_ERROR(Half(n).status());
  *finished = true;
  return absl::OkStatus();
}

TEST(StatusMacrosTest, AssignsValues) { EXPECT_THAT(Quarter(12), IsOkAndHolds(3)); }

TEST(StatusMacrosTest, ReturnsTheFirstError) {
  EXPECT_THAT(Quarter(6), StatusIs(absl::StatusCode::kInvalidArgument, Eq("odd")));
}

TEST(StatusMacrosTest, ReturnIfErrorLeavesEarlyOnlyOnError) {
  bool finished = false;
  EXPECT_THAT(Check(1, &finished), Not(IsOk()));
  EXPECT_FALSE(finished);
  EXPECT_THAT(Check(2, &finished), IsOk());
  EXPECT_TRUE(finished);
}

TEST(StatusMacrosTest, MovesWhatCannotBeCopied) {
  auto make = []() -> absl::StatusOr<std::unique_ptr<int>> { return std::make_unique<int>(7); };
  auto use = [&]() -> absl::StatusOr<int> {
    SYNCLINE_ASSIGN_OR_RETURN(std::unique_ptr<int> p, make());
    return *p;
  };
  EXPECT_THAT(use(), IsOkAndHolds(7));
}

TEST(StatusMatchersTest, TellCodesAndMessagesApart) {
  const absl::Status status = absl::NotFoundError("no such file");
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound, HasSubstr("file")));
  EXPECT_THAT(status, Not(StatusIs(absl::StatusCode::kInternal)));
  EXPECT_THAT(status, Not(StatusIs(absl::StatusCode::kNotFound, HasSubstr("folder"))));
  EXPECT_THAT(Half(4), Not(IsOkAndHolds(3)));
  EXPECT_THAT(Half(3), Not(IsOkAndHolds(1)));
}

}  // namespace
}  // namespace syncline
