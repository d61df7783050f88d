#ifndef SYNCLINE_COMMON_STATUS_STATUS_MATCHERS_H_
#define SYNCLINE_COMMON_STATUS_STATUS_MATCHERS_H_

// GoogleTest matchers for absl::Status and absl::StatusOr<T>. Tests only.
//
//   SYNCLINE_ASSERT_OK(server.Start());
//   SYNCLINE_ASSERT_OK_AND_ASSIGN(Shape shape, ParseShape("2x3"));
//   EXPECT_THAT(ParseShape("x"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("x")));
//   EXPECT_THAT(ParseShape("2x3"), IsOkAndHolds(Shape{2, 3}));

#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

// Matches an OK Status or StatusOr.
MATCHER(IsOk, negation ? "is an error" : "is OK") {
  const absl::Status& status = StatusOf(arg);
  if (!status.ok()) *result_listener << "which is " << status.ToString();
  return status.ok();
}

// Matches a Status or StatusOr of this code.
MATCHER_P(StatusIs, code, std::string("has code ") + absl::StatusCodeToString(code)) {
  const absl::Status& status = StatusOf(arg);
  *result_listener << "which is " << status.ToString();
  return status.code() == code;
}

// Matches a Status or StatusOr of this code whose message matches.
MATCHER_P2(StatusIs, code, message_matcher,
           std::string("has code ") + absl::StatusCodeToString(code) + " and a message that " +
               testing::DescribeMatcher<std::string>(message_matcher, negation)) {
  const absl::Status& status = StatusOf(arg);
  *result_listener << "which is " << status.ToString();
  return status.code() == code &&
         testing::ExplainMatchResult(message_matcher, std::string(status.message()),
                                     result_listener);
}

// Matches an OK StatusOr whose value matches.
MATCHER_P(IsOkAndHolds, value_matcher, "is OK and holds a matching value") {
  if (!arg.ok()) {
    *result_listener << "which is " << arg.status().ToString();
    return false;
  }
  return testing::ExplainMatchResult(value_matcher, *arg, result_listener);
}

}  // namespace syncline

#define SYNCLINE_ASSERT_OK(expression) ASSERT_THAT((expression), ::syncline::IsOk())
#define SYNCLINE_EXPECT_OK(expression) EXPECT_THAT((expression), ::syncline::IsOk())

// Assigns the value of a StatusOr, or ends the test.
#define SYNCLINE_ASSERT_OK_AND_ASSIGN(left, expression) \
  SYNCLINE_ASSERT_OK_AND_ASSIGN_IMPL_(SYNCLINE_TEST_CONCAT_(or_, __LINE__), left, expression)

#define SYNCLINE_ASSERT_OK_AND_ASSIGN_IMPL_(result, left, expression) \
  auto result = (expression);                                         \
  ASSERT_THAT(result, ::syncline::IsOk());                            \
  left = *std::move(result)

#define SYNCLINE_TEST_CONCAT_(a, b) SYNCLINE_TEST_CONCAT_INNER_(a, b)
#define SYNCLINE_TEST_CONCAT_INNER_(a, b) a##b

#endif  // SYNCLINE_COMMON_STATUS_STATUS_MATCHERS_H_
