#include "server/service/lent_segment.h"

#include <cstring>
#include <string>
#include <vector>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using ::testing::HasSubstr;

class LentSegmentTest : public ::testing::Test {
 protected:
  LentSegmentTest() {
    Sender lender;
    lender.set_rank(3);
    lender.set_incarnation(7);
    segment_ = std::make_shared<LentSegment>(memory_, lender);
  }

  absl::Status Write(uint64_t attempt, uint64_t offset, const std::string& bytes) {
    return segment_->Write(0, attempt, {{offset, Fragments::Of(bytes.data(), bytes.size())}}, nullptr);
  }

  const std::shared_ptr<SharedMemory> memory_ = *SharedMemory::Create(4096);
  std::shared_ptr<LentSegment> segment_;
};

TEST_F(LentSegmentTest, ReadsGradientsWhereTheyLie) {
  std::memcpy(memory_->data() + 8, "abcdefgh", 8);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const Fragments data, segment_->Read(8, 8));
  ASSERT_EQ(data.pieces().size(), 1u);
  EXPECT_EQ(data.pieces()[0].data, memory_->data() + 8);
  EXPECT_EQ(data.size(), 8u);
}

TEST_F(LentSegmentTest, StaysWhileAGradientIsRead) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const Fragments data, segment_->Read(0, 4));
  const std::weak_ptr<LentSegment> watched = segment_;
  segment_.reset();
  EXPECT_FALSE(watched.expired());
}

TEST_F(LentSegmentTest, RefusesWhatLiesOutside) {
  const auto outside = StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("4096 bytes"));
  EXPECT_THAT(segment_->Read(4096, 4).status(), outside);
  EXPECT_THAT(segment_->Read(4, 4096).status(), outside);
  EXPECT_THAT(segment_->Read(~uint64_t{3}, 8).status(), outside);
  EXPECT_THAT(segment_->Read(2, 4).status(), outside);
  EXPECT_THAT(Write(1, 4092, "12345678"), outside);
}

TEST_F(LentSegmentTest, AWriteThatIsWrongInOnePartWritesNothing) {
  const std::string bytes = "abcd";
  const auto part = [&](uint64_t offset) {
    return LentSegment::Part{offset, Fragments::Of(bytes.data(), bytes.size())};
  };
  EXPECT_THAT(segment_->Write(0, 1, {part(0), part(4096)}, nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(memory_->data()[0], 0);
  SYNCLINE_EXPECT_OK(segment_->Write(0, 1, {part(0), part(4092)}, nullptr));
  EXPECT_EQ(memory_->data()[0], 'a');
  EXPECT_EQ(memory_->data()[4095], 'd');
}

TEST_F(LentSegmentTest, AnAttemptThatWasGivenUpWritesNothing) {
  segment_->Begin(0, 1);
  segment_->Begin(0, 2);
  SYNCLINE_EXPECT_OK(Write(2, 0, "new "));
  EXPECT_THAT(Write(1, 0, "old "), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(std::string(memory_->data(), 4), "new ");
  // Another place has attempts of its own.
  segment_->Begin(64, 1);
  SYNCLINE_EXPECT_OK(segment_->Write(64, 1, {}, nullptr));
}

TEST_F(LentSegmentTest, BelongsToWhoLentIt) {
  Sender sender;
  sender.set_rank(3);
  sender.set_incarnation(7);
  SYNCLINE_EXPECT_OK(segment_->CheckLender(sender));
  sender.set_incarnation(8);
  EXPECT_THAT(segment_->CheckLender(sender), StatusIs(absl::StatusCode::kPermissionDenied));
}

}  // namespace
}  // namespace syncline
