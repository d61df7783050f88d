#include "common/config/scalar_field.h"

#include "common/status/status_matchers.h"
#include "proto/job.pb.h"

namespace syncline {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Sets one field of a manifest from a plain text.
absl::Status Set(const char* field, absl::string_view text, JobManifest* job) {
  return SetScalar(*JobManifest::descriptor()->FindFieldByName(field), text, false, job);
}

auto Refused(const char* what) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(what));
}

TEST(ScalarFieldTest, NamesEnumsInLowerCaseWithoutPrefix) {
  EXPECT_THAT(EnumValueTexts(*NonFinite_descriptor()), ElementsAre("reject", "skip", "apply"));
  EXPECT_THAT(EnumValueTexts(*SyncMode_descriptor()), ElementsAre("sync", "bounded", "async"));
}

TEST(ScalarFieldTest, ReadsEachType) {
  JobManifest job;
  SYNCLINE_ASSERT_OK(Set("name", "null", &job));
  SYNCLINE_ASSERT_OK(Set("batch_size", "4294967295", &job));
  SYNCLINE_ASSERT_OK(Set("seed", "18446744073709551615", &job));
  SYNCLINE_ASSERT_OK(Set("allow_tf32", "true", &job));
  SYNCLINE_ASSERT_OK(Set("on_nonfinite", "skip", &job));
  EXPECT_EQ(job.name(), "null");
  EXPECT_EQ(job.batch_size(), 4294967295u);
  EXPECT_EQ(job.seed(), 18446744073709551615u);
  EXPECT_TRUE(job.allow_tf32());
  EXPECT_EQ(job.on_nonfinite(), NONFINITE_SKIP);
}

TEST(ScalarFieldTest, RefusesWhatIsNoWholeNumber) {
  JobManifest job;
  for (const char* text : {"", "x", "1.0", "1e3", "+1", "0x10", "010", "1_000", " 1", "--1", "-"}) {
    EXPECT_THAT(Set("batch_size", text, &job), Refused("is not a whole number")) << text;
  }
  EXPECT_THAT(Set("batch_size", "-1", &job), Refused("-1 is not in [0, 4294967295]"));
  EXPECT_THAT(Set("batch_size", "4294967296", &job), Refused("is not in [0, 4294967295]"));
  EXPECT_FALSE(job.has_batch_size());
}

TEST(ScalarFieldTest, RefusesWhatIsNoFiniteNumber) {
  Optimizer optimizer;
  const auto& field = *Optimizer::descriptor()->FindFieldByName("learning_rate");
  for (const char* text : {"", "fast", "1,5", "0x1p3", "1.5 ", "1.5.2"}) {
    EXPECT_THAT(SetScalar(field, text, false, &optimizer), Refused("is not a number")) << text;
  }
  for (const char* text : {"nan", "inf", "-Infinity", "1e999"}) {
    EXPECT_THAT(SetScalar(field, text, false, &optimizer), Refused("is not a finite number"))
        << text;
  }
  EXPECT_THAT(SetScalar(field, "1", true, &optimizer), Refused("\"1\" is not a number"));
  SYNCLINE_EXPECT_OK(SetScalar(field, "-2.5e-3", false, &optimizer));
  EXPECT_EQ(optimizer.learning_rate(), -2.5e-3);
}

TEST(ScalarFieldTest, RefusesOtherSwitchesAndNames) {
  JobManifest job;
  EXPECT_THAT(Set("allow_tf32", "yes", &job), Refused("yes is not true or false"));
  EXPECT_THAT(Set("sync_mode", "boundd", &job),
              Refused("boundd is not one of sync, bounded, async; did you mean bounded?"));
  EXPECT_THAT(Set("sync_mode", "unspecified", &job), Refused("is not one of"));
}

TEST(ScalarFieldTest, RefusesStringsThatAreNotUtf8) {
  JobManifest job;
  SYNCLINE_EXPECT_OK(Set("device", "\xe2\x82\xac \xf0\x9f\x98\x80", &job));
  for (const char* text : {"\xff", "\xc0\x80", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    EXPECT_THAT(Set("device", text, &job), Refused("is not UTF-8"));
  }
}

TEST(ScalarFieldTest, ErrorsShowNoMoreThanALine) {
  JobManifest job;
  EXPECT_THAT(Set("seed", std::string(1000, 'x') + "\n", &job),
              Refused((std::string(60, 'x') + "... is not").c_str()));
}

TEST(ScalarFieldTest, NumbersKeepEveryBit) {
  Optimizer optimizer;
  const auto& field = *Optimizer::descriptor()->FindFieldByName("epsilon");
  for (const double value : {0.1, 1e-10, 1.0 / 3, 5e-324, 1.7976931348623157e308}) {
    optimizer.set_epsilon(value);
    const std::string text = ScalarText(field, optimizer);
    SYNCLINE_ASSERT_OK(SetScalar(field, text, false, &optimizer));
    EXPECT_EQ(optimizer.epsilon(), value) << text;
  }
}

}  // namespace
}  // namespace syncline
