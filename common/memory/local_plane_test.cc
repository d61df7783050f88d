#include "common/memory/local_plane.h"

#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/memory/shared_memory.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

AttachMemoryRequest FromThisHost() {
  AttachMemoryRequest request;
  request.mutable_sender()->set_rank(4);
  request.set_host(HostIdentity());
  return request;
}

// A worker's end, by hand.
class Worker {
 public:
  explicit Worker(const AttachMemoryReply& offer) : socket_(*LocalSocket::Connect(offer.socket())) {
    socket_.SetPatience(absl::Seconds(10));
  }

  // The body of the answer.
  absl::StatusOr<std::string> Ask(uint32_t kind, absl::string_view body, int descriptor = -1) {
    const LocalFrame frame{++calls_, kind, 0};
    const absl::Status sent = socket_.Send(frame.AsBytes(), body, descriptor);
    if (!sent.ok()) return sent;
    char room[256];
    const auto size = socket_.Receive(absl::MakeSpan(room));
    if (!size.ok()) return size.status();
    const auto answer = LocalFrame::Of({room, *size});
    EXPECT_EQ(answer->call, frame.call);
    const std::string text(room + sizeof(*answer), *size - sizeof(*answer));
    if (answer->code == 0) return text;
    return absl::Status(static_cast<absl::StatusCode>(answer->code), text);
  }

 private:
  LocalSocket socket_;
  uint64_t calls_ = 0;
};

LocalPlane::Serve Echo() {
  return [](const auto& link, const LocalFrame& call, absl::string_view body) {
    link->Reply(call, absl::OkStatus(), body);
  };
}

void WaitForBlocks(const LocalPlane& plane, size_t blocks) {
  const absl::Time limit = absl::Now() + absl::Seconds(10);
  while (plane.blocks() != blocks && absl::Now() < limit) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_EQ(plane.blocks(), blocks);
}

TEST(LocalPlaneTest, AWorkerLendsAndCallsAndLeavesNothing) {
  LocalPlane plane(Echo());
  const AttachMemoryReply offer = plane.Offer(FromThisHost());
  ASSERT_NE(offer.socket(), "");
  const auto block = *SharedMemory::Create(4096);
  {
    Worker worker(offer);
    SYNCLINE_ASSERT_OK(worker.Ask(LocalFrame::kHello, offer.token()));
    SYNCLINE_ASSERT_OK(worker.Ask(LocalFrame::kLend, "", block->fd()));
    SYNCLINE_ASSERT_OK(worker.Ask(LocalFrame::kLend, "", block->fd()));
    WaitForBlocks(plane, 2);
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const std::string answer, worker.Ask(LocalFrame::kPush, "hello"));
    EXPECT_EQ(answer, "hello");
    SYNCLINE_EXPECT_OK(worker.Ask(LocalFrame::kPing, ""));
  }
  WaitForBlocks(plane, 0);
}

TEST(LocalPlaneTest, ATokenIsGoodOnce) {
  LocalPlane plane(Echo());
  const AttachMemoryReply offer = plane.Offer(FromThisHost());
  Worker first(offer), second(offer), third(offer), hasty(offer);
  EXPECT_FALSE(hasty.Ask(LocalFrame::kPush, offer.token()).ok());
  SYNCLINE_EXPECT_OK(first.Ask(LocalFrame::kHello, offer.token()));
  EXPECT_FALSE(second.Ask(LocalFrame::kHello, offer.token()).ok());
  EXPECT_FALSE(third.Ask(LocalFrame::kHello, std::string(16, 'x')).ok());
}

TEST(LocalPlaneTest, RefusesWhatIsNoMemory) {
  LocalPlane plane(Echo());
  const AttachMemoryReply offer = plane.Offer(FromThisHost());
  Worker worker(offer);
  SYNCLINE_ASSERT_OK(worker.Ask(LocalFrame::kHello, offer.token()));
  EXPECT_THAT(worker.Ask(LocalFrame::kLend, "").status(),
              StatusIs(absl::StatusCode::kInvalidArgument));
  SYNCLINE_EXPECT_OK(worker.Ask(LocalFrame::kPush, "goes on"));
  EXPECT_EQ(plane.blocks(), 0u);
}

TEST(LocalPlaneTest, AWorkerOnAnotherHostGetsNoOffer) {
  LocalPlane plane(Echo());
  AttachMemoryRequest request = FromThisHost();
  request.set_host("another");
  EXPECT_EQ(plane.Offer(request).socket(), "");
}

TEST(LocalPlaneTest, ClosingEndsLinksAndOffers) {
  LocalPlane plane(Echo());
  const AttachMemoryReply offer = plane.Offer(FromThisHost());
  Worker greeted(offer);
  SYNCLINE_ASSERT_OK(greeted.Ask(LocalFrame::kHello, offer.token()));
  plane.Close();
  EXPECT_THAT(greeted.Ask(LocalFrame::kPing, "").status(),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(plane.Offer(FromThisHost()).socket(), "");
}

}  // namespace
}  // namespace syncline
