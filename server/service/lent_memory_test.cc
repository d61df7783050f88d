#include "server/service/lent_memory.h"

#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/memory/shared_memory.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

constexpr uint64_t kRefused = 0;

Sender Rank(uint32_t rank) {
  Sender sender;
  sender.set_rank(rank);
  sender.set_incarnation(1);
  return sender;
}

AttachMemoryRequest From(uint32_t rank) {
  AttachMemoryRequest request;
  *request.mutable_sender() = Rank(rank);
  request.set_host(HostIdentity());
  return request;
}

// A worker's side, by hand: sends `token` and a descriptor, returns the number it is told.
uint64_t Lend(const LocalSocket& connection, const std::string& token, int descriptor) {
  SYNCLINE_EXPECT_OK(connection.Send(token, descriptor));
  const auto answer = connection.Receive(sizeof(uint64_t));
  uint64_t number = kRefused;
  if (answer.ok()) std::memcpy(&number, answer->data(), sizeof(number));
  return number;
}

TEST(LentMemoryTest, ASegmentIsThereWhileItsConnectionStands) {
  LentMemory memory;
  const AttachMemoryReply offer = memory.Offer(From(4));
  ASSERT_NE(offer.socket(), "");
  const auto block = *SharedMemory::Create(4096);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(auto connected, LocalSocket::Connect(offer.socket()));
  std::optional<LocalSocket> connection(std::move(connected));
  const uint64_t number = Lend(*connection, offer.token(), block->fd());
  ASSERT_NE(number, kRefused);
  {
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto segment, memory.Find(number, Rank(4)));
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const Fragments bytes, segment->Read(0, 4));
    block->data()[0] = 'x';
    EXPECT_EQ(*bytes.pieces()[0].data, 'x');
  }
  EXPECT_EQ(memory.segments(), 1u);
  EXPECT_THAT(memory.Find(number, Rank(5)).status(),
              StatusIs(absl::StatusCode::kPermissionDenied));

  connection.reset();
  const absl::Time limit = absl::Now() + absl::Seconds(10);
  while (memory.segments() > 0 && absl::Now() < limit) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_THAT(memory.Find(number, Rank(4)).status(), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(LentMemoryTest, ATokenIsGoodOnce) {
  LentMemory memory;
  const AttachMemoryReply offer = memory.Offer(From(0));
  const auto block = *SharedMemory::Create(4096);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto first, LocalSocket::Connect(offer.socket()));
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto second, LocalSocket::Connect(offer.socket()));
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto third, LocalSocket::Connect(offer.socket()));
  EXPECT_NE(Lend(first, offer.token(), block->fd()), kRefused);
  EXPECT_EQ(Lend(second, offer.token(), block->fd()), kRefused);
  EXPECT_EQ(Lend(third, std::string(16, 'x'), block->fd()), kRefused);
  EXPECT_EQ(memory.segments(), 1u);
}

TEST(LentMemoryTest, RefusesWhatIsNoMemory) {
  LentMemory memory;
  const AttachMemoryReply offer = memory.Offer(From(0));
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto connection, LocalSocket::Connect(offer.socket()));
  EXPECT_EQ(Lend(connection, offer.token(), /*descriptor=*/-1), kRefused);
  EXPECT_EQ(memory.segments(), 0u);
}

TEST(LentMemoryTest, AWorkerOnAnotherHostGetsNoOffer) {
  LentMemory memory;
  AttachMemoryRequest request = From(0);
  request.set_host("another");
  EXPECT_EQ(memory.Offer(request).socket(), "");
}

}  // namespace
}  // namespace syncline
