#include "common/obs/logging.h"

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "spdlog/spdlog.h"

namespace syncline {
namespace {

using testing::HasSubstr;

TEST(LoggingTest, WrongFlagsAreNamed) {
  EXPECT_THAT(ConfigureLogging("p", "xml", "info"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--log_format")));
  EXPECT_THAT(ConfigureLogging("p", "text", "loud"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--log_level")));
}

TEST(LoggingTest, JsonIsEscaped) {
  SYNCLINE_ASSERT_OK(ConfigureLogging("syncline-ps", "json", "info"));
  testing::internal::CaptureStderr();
  spdlog::info("a \"b\"\n\\");
  spdlog::debug("not this");
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_THAT(line, HasSubstr(R"("level":"info","process":"syncline-ps")"));
  EXPECT_THAT(line, HasSubstr(R"("message":"a \"b\"\u000a\\"})"));
  EXPECT_THAT(line, testing::Not(HasSubstr("not this")));
}

}  // namespace
}  // namespace syncline
