#include "common/memory/worker_link.h"

#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WorkerLinkTest : public ::testing::Test {
 protected:
  WorkerLinkTest() {
    const std::string name = absl::StrCat("test-", absl::BytesToHexString(RandomToken(8)));
    const LocalSocket listener = *LocalSocket::Listen(name);
    worker_ = *LocalSocket::Connect(name);
    worker_.SetPatience(absl::Seconds(10));
    Sender sender;
    sender.set_rank(3);
    sender.set_incarnation(7);
    link_ = std::make_shared<WorkerLink>(*listener.Accept(), sender);
    EXPECT_EQ(link_->AddBlock(memory_), 1u);
  }

  static WorkerLink::Part Part(uint64_t offset, const std::string& bytes) {
    return {offset, Fragments::Of(bytes.data(), bytes.size())};
  }
  // What the worker hears next.
  std::string Heard(LocalFrame* frame) {
    char room[256];
    const auto size = worker_.Receive(absl::MakeSpan(room));
    if (!size.ok()) return std::string(size.status().message());
    *frame = *LocalFrame::Of({room, *size});
    return std::string(room + sizeof(*frame), *size - sizeof(*frame));
  }

  const std::shared_ptr<SharedMemory> memory_ = *SharedMemory::Create(4096);
  LocalSocket worker_;
  std::shared_ptr<WorkerLink> link_;
};

TEST_F(WorkerLinkTest, ReadsGradientsWhereTheyLie) {
  std::memcpy(memory_->data() + 8, "abcdefgh", 8);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const Fragments data, link_->Read(1, 8, 8));
  ASSERT_EQ(data.pieces().size(), 1u);
  EXPECT_EQ(data.pieces()[0].data, memory_->data() + 8);
  EXPECT_EQ(data.size(), 8u);
}

TEST_F(WorkerLinkTest, RefusesWhatIsNotLent) {
  const auto outside = StatusIs(StatusCode::kInvalidArgument, HasSubstr("4096 bytes"));
  EXPECT_THAT(link_->Read(1, 4096, 4).status(), outside);
  EXPECT_THAT(link_->Read(1, 4, 4096).status(), outside);
  EXPECT_THAT(link_->Read(1, ~uint64_t{3}, 8).status(), outside);
  EXPECT_THAT(link_->Read(1, 2, 4).status(), outside);
  const auto unknown = StatusIs(StatusCode::kInvalidArgument, HasSubstr("1 are lent"));
  EXPECT_THAT(link_->Read(0, 0, 4).status(), unknown);
  EXPECT_THAT(link_->Write(2, {Part(0, "abcd")}, nullptr), unknown);
}

TEST_F(WorkerLinkTest, AWriteThatIsWrongInOnePartWritesNothing) {
  EXPECT_THAT(link_->Write(1, {Part(0, "abcd"), Part(4096, "efgh")}, nullptr),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_EQ(memory_->data()[0], 0);
  SYNCLINE_EXPECT_OK(link_->Write(1, {Part(0, "abcd"), Part(4092, "efgh")}, nullptr));
  EXPECT_EQ(memory_->data()[0], 'a');
  EXPECT_EQ(memory_->data()[4095], 'h');
}

TEST_F(WorkerLinkTest, SpeaksForItsWorkerOnly) {
  Sender sender;
  sender.set_rank(3);
  sender.set_incarnation(7);
  SYNCLINE_EXPECT_OK(link_->CheckSender(sender));
  sender.set_incarnation(8);
  EXPECT_THAT(link_->CheckSender(sender), StatusIs(StatusCode::kPermissionDenied));
}

TEST_F(WorkerLinkTest, AnswersCarryTheCallAndTheError) {
  LocalFrame heard;
  link_->Reply({5, LocalFrame::kPush, 0}, absl::OkStatus(), "reply");
  EXPECT_EQ(Heard(&heard), "reply");
  EXPECT_EQ(heard.call, 5u);
  EXPECT_EQ(heard.code, 0u);
  link_->Reply({6, LocalFrame::kPull, 0}, absl::NotFoundError("why"), "");
  EXPECT_EQ(Heard(&heard), "why");
  EXPECT_EQ(heard.call, 6u);
  EXPECT_EQ(static_cast<StatusCode>(heard.code), StatusCode::kNotFound);
}

TEST_F(WorkerLinkTest, ClosingGivesUpWhatIsNotAnswered) {
  std::vector<int> given_up;
  const auto call = [](uint64_t number) { return LocalFrame{number, LocalFrame::kPull, 0}; };
  for (const int number : {1, 2, 3}) {
    link_->Begin(call(number));
    if (number == 3) link_->Reply(call(3), absl::OkStatus(), "");  // before the hook is known
    link_->OnClose(call(number), [&given_up, number] { given_up.push_back(number); });
  }
  link_->Reply(call(1), absl::OkStatus(), "");
  link_->Close();
  EXPECT_THAT(given_up, ElementsAre(2));
  link_->OnClose(call(4), [&given_up] { given_up.push_back(4); });
  EXPECT_THAT(given_up, ElementsAre(2, 4));
}

TEST_F(WorkerLinkTest, AWorkerThatDoesNotListenIsCutOff) {
  const std::string answer(1000, 'a');
  for (int i = 0; i < 100000; ++i) link_->Reply({1, LocalFrame::kPush, 0}, absl::OkStatus(), answer);
  char room[16];
  EXPECT_THAT(link_->socket().Receive(absl::MakeSpan(room)).status(),
              StatusIs(StatusCode::kUnavailable));
}

TEST_F(WorkerLinkTest, TheWorkerHearsWhenNobodyHoldsItsMemory) {
  std::shared_ptr<WorkerLink> pull = link_;
  link_->Close();
  link_.reset();
  worker_.SetPatience(absl::Milliseconds(20));
  char room[16];
  EXPECT_THAT(worker_.Receive(absl::MakeSpan(room)).status(),
              StatusIs(StatusCode::kDeadlineExceeded));
  pull.reset();
  EXPECT_THAT(worker_.Receive(absl::MakeSpan(room)).status(), StatusIs(StatusCode::kUnavailable));
}

}  // namespace
}  // namespace syncline
