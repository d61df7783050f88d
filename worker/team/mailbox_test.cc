#include "worker/team/mailbox.h"

#include <string>
#include <thread>

#include "common/status/status_matchers.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

class MailboxTest : public ::testing::Test {
 protected:
  DecodedTeamMessage Message(TeamMessage::Kind kind, uint64_t number, uint64_t attempt, uint32_t part,
                             uint64_t generation = 3) {
    DecodedTeamMessage message;
    message.head.set_kind(kind);
    message.head.set_life(9);
    message.head.set_number(number);
    message.head.set_place(1);
    message.head.set_generation(generation);
    message.head.set_attempt(attempt);
    message.head.set_part(part);
    return message;
  }
  uint64_t NumberOf(uint32_t part) {
    const auto taken = box_.Take(TeamMessage::ACTIVATION, 1, part);
    return taken.ok() ? taken->head.number() : 0;
  }

  Mailbox box_;
};

TEST_F(MailboxTest, GivesWhatIsAskedForInAnyOrder) {
  box_.SetGeneration(3);
  box_.BeginAttempt({3, 1});
  for (uint64_t n = 1; n <= 3; ++n) box_.Put(Message(TeamMessage::ACTIVATION, n, 1, 10 - n));
  EXPECT_EQ(NumberOf(7), 3u);
  EXPECT_EQ(NumberOf(9), 1u);
  std::thread later([this] { box_.Put(Message(TeamMessage::ACTIVATION, 4, 1, 1)); });
  EXPECT_EQ(NumberOf(1), 4u);
  later.join();
}

TEST_F(MailboxTest, WhatIsSaidAgainIsDropped) {
  box_.SetGeneration(3);
  box_.BeginAttempt({3, 1});
  box_.Put(Message(TeamMessage::ACTIVATION, 2, 1, 0));
  EXPECT_EQ(NumberOf(0), 2u);
  box_.Put(Message(TeamMessage::ACTIVATION, 2, 1, 0));
  box_.Put(Message(TeamMessage::ACTIVATION, 1, 1, 1));
  EXPECT_EQ(NumberOf(1), 1u);
  box_.Put(Message(TeamMessage::ACTIVATION, 1, 1, 0));
  box_.Put(Message(TeamMessage::ACTIVATION, 3, 1, 0));
  EXPECT_EQ(NumberOf(0), 3u);
}

TEST_F(MailboxTest, AnEarlierAttemptIsDroppedAndALaterOneWaits) {
  box_.SetGeneration(3);
  box_.Put(Message(TeamMessage::ACTIVATION, 1, 4, 0));
  box_.Put(Message(TeamMessage::ACTIVATION, 2, 6, 0));
  box_.Put(Message(TeamMessage::ACTIVATION, 3, 5, 0));
  box_.BeginAttempt({3, 5});
  EXPECT_EQ(NumberOf(0), 3u);
  box_.BeginAttempt({3, 6});
  EXPECT_EQ(NumberOf(0), 2u);
  // Of a team that this process has not heard of yet.
  box_.Put(Message(TeamMessage::ACTIVATION, 4, 1, 0, 4));
  box_.SetGeneration(4);
  box_.BeginAttempt({4, 1});
  EXPECT_EQ(NumberOf(0), 4u);
}

TEST_F(MailboxTest, AChangeOfTheTeamEndsAWait) {
  box_.SetGeneration(3);
  box_.BeginAttempt({3, 1});
  std::thread change([this] { box_.SetGeneration(4); });
  EXPECT_THAT(box_.Take(TeamMessage::GRADIENT, 1, 0).status(), StatusIs(absl::StatusCode::kAborted));
  change.join();
}

TEST_F(MailboxTest, AnotherOrderEndsAWait) {
  box_.SetGeneration(3);
  box_.BeginAttempt({3, 1});
  std::thread leader([this] { box_.Put(Message(TeamMessage::STEP, 1, 2, 0)); });
  EXPECT_THAT(box_.Take(TeamMessage::GRADIENT, 1, 0).status(), StatusIs(absl::StatusCode::kAborted));
  leader.join();
  box_.BeginAttempt({3, 2});
  box_.Put(Message(TeamMessage::ACTIVATION, 2, 2, 0));
  EXPECT_EQ(NumberOf(0), 2u);
}

TEST_F(MailboxTest, WhoLeadsObeysNobodyOfBefore) {
  box_.SetGeneration(3);
  box_.Put(Message(TeamMessage::END, 1, 40, 0));
  box_.DropOrders(3);
  box_.BeginAttempt({3, 1});
  box_.Put(Message(TeamMessage::ACTIVATION, 2, 1, 0));
  EXPECT_EQ(NumberOf(0), 2u);
}

TEST_F(MailboxTest, AnAttemptThatFailedElsewhereEndsAndTheNextOneDoesNot) {
  box_.SetGeneration(3);
  box_.BeginAttempt({3, 1});
  DecodedTeamMessage failed = Message(TeamMessage::DONE, 1, 1, 0);
  failed.head.set_failed(static_cast<int32_t>(absl::StatusCode::kUnavailable));
  std::thread other([&] { box_.Put(failed); });
  EXPECT_THAT(box_.Take(TeamMessage::DONE, 2, 0).status(), StatusIs(absl::StatusCode::kAborted));
  other.join();
  box_.BeginAttempt({3, 2});
  box_.Put(Message(TeamMessage::ACTIVATION, 2, 2, 0));
  EXPECT_EQ(NumberOf(0), 2u);
  failed = Message(TeamMessage::DONE, 3, 2, 0);
  failed.head.set_failed(static_cast<int32_t>(absl::StatusCode::kFailedPrecondition));
  box_.Put(failed);
  EXPECT_THAT(box_.Take(TeamMessage::DONE, 2, 0).status(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(MailboxTest, TellsWhatIsThereWithoutWaiting) {
  box_.SetGeneration(3);
  box_.BeginAttempt({3, 1});
  EXPECT_FALSE(box_.TakeIfThere(TeamMessage::ACTIVATION, 1, 0)->has_value());
  box_.Put(Message(TeamMessage::ACTIVATION, 1, 1, 0));
  EXPECT_EQ((*box_.TakeIfThere(TeamMessage::ACTIVATION, 1, 0))->head.number(), 1u);
  box_.SetGeneration(4);
  EXPECT_THAT(box_.TakeIfThere(TeamMessage::ACTIVATION, 1, 0).status(), StatusIs(absl::StatusCode::kAborted));
}

TEST_F(MailboxTest, MessagesOfATeamThatIsPastAreLetGo) {
  box_.SetGeneration(3);
  box_.BeginAttempt({3, 1});
  DecodedTeamMessage message = Message(TeamMessage::ACTIVATION, 1, 1, 0);
  auto owner = std::make_shared<int>();
  {
    const Fragments data(owner);
    message.data = data;
  }
  box_.Put(std::move(message));
  EXPECT_EQ(owner.use_count(), 2);
  box_.SetGeneration(4);
  EXPECT_EQ(owner.use_count(), 1);
}

TEST_F(MailboxTest, OrdersComeOneAfterTheOther) {
  EXPECT_FALSE(box_.TakeOrder(absl::Milliseconds(1)).has_value());
  box_.Put(Message(TeamMessage::STEP, 1, 1, 0));
  box_.Put(Message(TeamMessage::END, 3, 3, 0));
  box_.Put(Message(TeamMessage::STEP, 1, 1, 0));
  EXPECT_EQ(box_.TakeOrder(absl::ZeroDuration())->kind(), TeamMessage::STEP);
  EXPECT_EQ(box_.TakeOrder(absl::ZeroDuration())->kind(), TeamMessage::END);
  box_.Put(Message(TeamMessage::STEP, 2, 2, 0));
  EXPECT_FALSE(box_.TakeOrder(absl::ZeroDuration()).has_value()) << "a later one has overtaken it";
}

}  // namespace
}  // namespace syncline
