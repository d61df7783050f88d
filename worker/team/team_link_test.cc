#include "worker/team/team_link.h"

#include <memory>
#include <utility>

#include "absl/synchronization/notification.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "worker/team/mailbox.h"
#include "worker/team/team_server.h"

namespace syncline {
namespace {

constexpr size_t kFloats = 100000;
constexpr TeamAttempt kAttempt = {1, 1};

// The way from one process to another, and the other's end.
class TeamLinkTest : public ::testing::Test {
 protected:
  struct Sent {
    absl::Notification done;
    absl::Status status;
  };

  void Connect(bool sender_shares, bool receiver_shares) {
    memory_ = std::make_unique<SharedBlocks>(sender_shares);
    block_ = memory_->Allocate(kFloats * sizeof(float));
    server_ = *TeamServer::Start("127.0.0.1:0", {}, receiver_shares, &mailbox_);
    link_ = *TeamLink::Create(server_->address(), {}, memory_.get());
    mailbox_.SetGeneration(kAttempt.generation);
    mailbox_.BeginAttempt(kAttempt);
    // What is sent after the first answer goes the way that is found until then.
    SYNCLINE_ASSERT_OK(Arrives(Send({})));
    SYNCLINE_ASSERT_OK(Take());
  }
  std::shared_ptr<Sent> Send(const Fragments& data) {
    TeamMessage head = MessageOf(TeamMessage::ACTIVATION, kAttempt, ++number_);
    head.set_life(7);
    head.set_number(number_);
    auto sent = std::make_shared<Sent>();
    link_->Send(std::move(head), data, [sent](const absl::Status& status) {
      sent->status = status;
      sent->done.Notify();
    });
    return sent;
  }
  static absl::Status Arrives(const std::shared_ptr<Sent>& sent) {
    sent->done.WaitForNotification();
    return sent->status;
  }
  absl::StatusOr<DecodedTeamMessage> Take() { return mailbox_.Take(TeamMessage::ACTIVATION, 0, ++taken_); }
  static float FirstOf(const DecodedTeamMessage& message) {
    float scratch;
    return *FloatReader(message.data).Next(1, &scratch);
  }

  // Sends a block until it is read where it lies: until the other side has been lent it, it travels.
  void AwaitLent(const void* block) {
    bool in_place = false;
    for (int tries = 0; tries < 1000 && !in_place; ++tries) {
      const auto sent = Send(Fragments::Of(block, kFloats * sizeof(float)));
      auto message = Take();
      SYNCLINE_ASSERT_OK(message);
      in_place = message->intact != nullptr;
      message = absl::CancelledError("let go");
      SYNCLINE_ASSERT_OK(Arrives(sent));
    }
    EXPECT_TRUE(in_place);
  }

  std::unique_ptr<SharedBlocks> memory_;
  std::shared_ptr<void> block_;
  Mailbox mailbox_;
  std::unique_ptr<TeamServer> server_;
  std::unique_ptr<TeamLink> link_;
  uint64_t number_ = 0, taken_ = 0;
};

TEST_F(TeamLinkTest, OnOneHostDataIsReadWhereItLiesAndStaysUntilThen) {
  Connect(true, true);
  ASSERT_TRUE(link_->on_this_host());
  float* const floats = static_cast<float*>(block_.get());
  AwaitLent(floats);
  auto sent = Send(Fragments::Of(floats + 5, (kFloats - 5) * sizeof(float)));
  auto message = Take();
  SYNCLINE_ASSERT_OK(message);
  ASSERT_EQ(message->data.size(), (kFloats - 5) * sizeof(float));
  floats[5] = 3;
  EXPECT_EQ(FirstOf(*message), 3) << "it is the sender's memory";
  EXPECT_FALSE(sent->done.HasBeenNotified());
  SYNCLINE_EXPECT_OK(message->CheckIntact());
  message = absl::CancelledError("let go");
  SYNCLINE_EXPECT_OK(Arrives(sent));
}

TEST_F(TeamLinkTest, ABlockAllocatedLaterIsLentWhenItIsFirstSent) {
  Connect(true, true);
  const auto later = memory_->Allocate(kFloats * sizeof(float));
  AwaitLent(later.get());
}

TEST_F(TeamLinkTest, AMessageThatNobodyWantsAnyMoreIsLetGo) {
  Connect(true, true);
  const float data[] = {1, 2};
  const auto sent = Send(Fragments::Of(data, sizeof(data)));
  mailbox_.SetGeneration(kAttempt.generation + 1);
  SYNCLINE_EXPECT_OK(Arrives(sent));
}

TEST_F(TeamLinkTest, WhatIsReadWhenTheSenderHasGoneOnDoesNotCount) {
  Connect(true, true);
  AwaitLent(block_.get());
  const auto sent = Send(Fragments::Of(block_.get(), kFloats * sizeof(float)));
  const auto message = Take();
  SYNCLINE_ASSERT_OK(message);
  link_->Close();
  EXPECT_THAT(Arrives(sent), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(message->CheckIntact(), StatusIs(absl::StatusCode::kAborted));
}

TEST_F(TeamLinkTest, WhenTheOtherProcessGoesNothingWaits) {
  Connect(true, true);
  AwaitLent(block_.get());
  const auto sent = Send(Fragments::Of(block_.get(), kFloats * sizeof(float)));
  SYNCLINE_ASSERT_OK(Take());
  server_.reset();
  link_->Close();
  Arrives(sent).IgnoreError();
}

TEST_F(TeamLinkTest, WithoutSharedMemoryOnEitherSideItGoesThroughTheNetwork) {
  for (const bool sender_shares : {false, true}) {
    Connect(sender_shares, !sender_shares);
    EXPECT_FALSE(link_->on_this_host());
    std::vector<float> floats(kFloats, 4);
    SYNCLINE_ASSERT_OK(Arrives(Send(Fragments::Of(floats.data(), kFloats * sizeof(float)))));
    floats[0] = 5;
    const auto message = Take();
    SYNCLINE_ASSERT_OK(message);
    ASSERT_EQ(message->data.size(), kFloats * sizeof(float));
    EXPECT_EQ(FirstOf(*message), 4) << "a copy";
    SYNCLINE_EXPECT_OK(message->CheckIntact());
    link_.reset();
  }
}

}  // namespace
}  // namespace syncline
