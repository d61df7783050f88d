#include "common/memory/local_link.h"

#include <future>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;

// A link, and the shard's end of it in the test's hands.
class LocalLinkTest : public ::testing::Test {
 protected:
  void Attach(LocalLink::Silence silence = {}) {
    const std::string name = absl::StrCat("test-", absl::BytesToHexString(RandomToken(8)));
    const LocalSocket listener = *LocalSocket::Listen(name);
    const auto offer = [&](const AttachMemoryRequest&) {
      AttachMemoryReply reply;
      reply.set_socket(name);
      reply.set_token("token");
      return absl::StatusOr<AttachMemoryReply>(reply);
    };
    auto attached = std::async(std::launch::async,
                               [&] { return LocalLink::Attach(offer, Sender(), {memory_}, silence); });
    shard_ = *listener.Accept();
    shard_.SetPatience(absl::Seconds(20));
    EXPECT_EQ(Hear(), "token");
    Answer(absl::OkStatus(), "");
    int descriptor = -1;
    Hear(&descriptor);
    lent_ = *SharedMemory::Adopt(descriptor);
    AnswerNumber(1);
    link_ = *attached.get();
    ASSERT_NE(link_, nullptr);
  }

  // The body of the next frame; the frame is in heard_.
  std::string Hear(int* descriptor = nullptr) {
    char room[256];
    const auto size = shard_.Receive(absl::MakeSpan(room), descriptor);
    if (!size.ok()) return std::string(size.status().message());
    heard_ = *LocalFrame::Of({room, *size});
    return std::string(room + sizeof(heard_), *size - sizeof(heard_));
  }
  void Answer(const absl::Status& status, absl::string_view body) {
    LocalFrame answer = heard_;
    answer.code = static_cast<uint32_t>(status.code());
    SYNCLINE_EXPECT_OK(shard_.Send(answer.AsBytes(), status.ok() ? body : status.message()));
  }
  void AnswerNumber(uint64_t segment) {
    Answer(absl::OkStatus(), {reinterpret_cast<const char*>(&segment), sizeof(segment)});
  }
  std::future<absl::StatusOr<std::string>> Call(absl::string_view message) {
    auto result = std::make_shared<std::promise<absl::StatusOr<std::string>>>();
    EXPECT_TRUE(link_->Call(LocalFrame::kPush, message, [result](auto reply) {
      result->set_value(std::move(reply));
    }));
    return result->get_future();
  }

  const std::shared_ptr<SharedMemory> memory_ = *SharedMemory::Create(4096);
  std::shared_ptr<SharedMemory> lent_;
  LocalSocket shard_;
  LocalFrame heard_;
  std::unique_ptr<LocalLink> link_;
};

TEST_F(LocalLinkTest, TheShardSeesTheMemory) {
  Attach();
  memory_->data()[7] = 'x';
  EXPECT_EQ(lent_->data()[7], 'x');
}

TEST_F(LocalLinkTest, FindsChunksThatLieInOneBlock) {
  Attach();
  const auto places = link_->Find({{memory_->data() + 8, 16}, {memory_->data(), 4096}});
  ASSERT_TRUE(places.has_value());
  EXPECT_EQ(places->segment, 1u);
  EXPECT_EQ(places->offsets, std::vector<uint64_t>({8, 0}));
  const char elsewhere[4] = {};
  EXPECT_FALSE(link_->Find({{memory_->data(), 4}, {elsewhere, 4}}).has_value());
  EXPECT_FALSE(link_->Find({}).has_value());
}

TEST_F(LocalLinkTest, ABlockLentLaterCountsWhenItIsMapped) {
  Attach();
  const std::shared_ptr<SharedMemory> more = *SharedMemory::Create(4096);
  link_->Lend(more);
  int descriptor = -1;
  Hear(&descriptor);
  const auto mapped = *SharedMemory::Adopt(descriptor);
  EXPECT_FALSE(link_->Find({{more->data(), 4}}).has_value());
  AnswerNumber(2);
  // Answers are read in order.
  auto after = Call("one");
  Hear();
  Answer(absl::OkStatus(), "");
  SYNCLINE_EXPECT_OK(after.get());
  const auto places = link_->Find({{more->data() + 4, 4}});
  ASSERT_TRUE(places.has_value());
  EXPECT_EQ(places->segment, 2u);
}

TEST_F(LocalLinkTest, AnswersFindTheirCallInAnyOrder) {
  Attach();
  auto first = Call("one");
  auto second = Call("two");
  EXPECT_EQ(Hear(), "one");
  const LocalFrame one = heard_;
  EXPECT_EQ(Hear(), "two");
  Answer(absl::OkStatus(), "2");
  heard_ = one;
  Answer(absl::NotFoundError("no 1"), "");
  EXPECT_EQ(*second.get(), "2");
  EXPECT_THAT(first.get().status(), StatusIs(StatusCode::kNotFound, "no 1"));
}

TEST_F(LocalLinkTest, WhenTheShardGoesCallsEndAndNoMoreAreTaken) {
  Attach();
  auto call = Call("one");
  { const LocalSocket gone = std::move(shard_); }
  EXPECT_THAT(call.get().status(), StatusIs(StatusCode::kUnavailable));
  EXPECT_FALSE(link_->Call(LocalFrame::kPush, "", [](auto) { ADD_FAILURE(); }));
}

TEST_F(LocalLinkTest, AMessageThatDoesNotFitIsNotTaken) {
  Attach();
  EXPECT_FALSE(link_->Call(LocalFrame::kPush, std::string(100 << 20, 'a'),
                           [](auto) { ADD_FAILURE(); }));
}

TEST_F(LocalLinkTest, ASilentShardIsAskedForASignOfLifeAndThenLeft) {
  Attach({absl::Milliseconds(10), 2, 20, 1000000});
  auto call = Call("one");
  EXPECT_EQ(Hear(), "one");
  Hear();
  EXPECT_EQ(heard_.kind, LocalFrame::kPing);
  // It says nothing more. The link ends, and the call does when the shard lets go of the memory.
  EXPECT_THAT(Hear(), HasSubstr("has gone"));
  EXPECT_EQ(call.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  { const LocalSocket gone = std::move(shard_); }
  EXPECT_THAT(call.get().status(), StatusIs(StatusCode::kUnavailable));
}

TEST_F(LocalLinkTest, AShardThatKeepsTheMemoryIsNotWaitedForEver) {
  Attach({absl::Milliseconds(10), 1, 2, 10});
  auto call = Call("one");
  EXPECT_THAT(call.get().status(), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("memory")));
}

TEST_F(LocalLinkTest, ALongPullIsNoSilenceWhileTheShardLives) {
  Attach({absl::Milliseconds(20), 2, 100, 200});
  auto call = Call("one");
  EXPECT_EQ(Hear(), "one");
  const LocalFrame pull = heard_;
  for (int i = 0; i < 60; ++i) {
    Hear();
    ASSERT_EQ(heard_.kind, LocalFrame::kPing);
    Answer(absl::OkStatus(), "");
  }
  heard_ = pull;
  Answer(absl::OkStatus(), "at last");
  EXPECT_EQ(*call.get(), "at last");
}

}  // namespace
}  // namespace syncline
