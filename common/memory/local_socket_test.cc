#include "common/memory/local_socket.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

std::string AName() { return absl::StrCat("test-", absl::BytesToHexString(RandomToken(8))); }

// Both ends of a connection.
std::pair<LocalSocket, LocalSocket> Connected() {
  const std::string name = AName();
  const LocalSocket listener = *LocalSocket::Listen(name);
  LocalSocket one = *LocalSocket::Connect(name);
  return {std::move(one), *listener.Accept()};
}

TEST(LocalSocketTest, CarriesMessagesAndADescriptor) {
  const auto [one, other] = Connected();
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  SYNCLINE_ASSERT_OK(one.Send("hel", "lo", pipe_ends[1]));
  SYNCLINE_ASSERT_OK(one.Send("", "again"));
  char room[64];
  int came = -1;
  SYNCLINE_ASSERT_OK_AND_ASSIGN(size_t size, other.Receive(absl::MakeSpan(room), &came));
  EXPECT_EQ(std::string(room, size), "hello");
  ASSERT_GE(came, 0);
  EXPECT_NE(came, pipe_ends[1]);
  // It is the same pipe.
  ASSERT_EQ(write(came, "x", 1), 1);
  char byte = 0;
  ASSERT_EQ(read(pipe_ends[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'x');
  for (const int fd : {came, pipe_ends[0], pipe_ends[1]}) close(fd);

  SYNCLINE_ASSERT_OK_AND_ASSIGN(size, other.Receive(absl::MakeSpan(room), &came));
  EXPECT_EQ(std::string(room, size), "again");
  EXPECT_EQ(came, -1);
}

TEST(LocalSocketTest, ADescriptorNobodyAskedForIsClosed) {
  const auto [one, other] = Connected();
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  SYNCLINE_ASSERT_OK(one.Send("a", "", pipe_ends[1]));
  close(pipe_ends[1]);
  char room[1];
  SYNCLINE_ASSERT_OK(other.Receive(absl::MakeSpan(room)).status());
  char byte;
  EXPECT_EQ(read(pipe_ends[0], &byte, 1), 0) << "a writer is still open";
  close(pipe_ends[0]);
}

TEST(LocalSocketTest, SendingNeverBlocks) {
  const auto [one, other] = Connected();
  EXPECT_THAT(one.Send("", std::string(100 << 20, 'a')),
              StatusIs(absl::StatusCode::kResourceExhausted));
  absl::Status sent;
  for (int i = 0; i < 100000 && sent.ok(); ++i) sent = one.Send("", std::string(1000, 'a'));
  EXPECT_THAT(sent, StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST(LocalSocketTest, AMessageTooLongForTheRoomIsAnError) {
  const auto [one, other] = Connected();
  SYNCLINE_ASSERT_OK(one.Send("", "12345"));
  char room[4];
  EXPECT_THAT(other.Receive(absl::MakeSpan(room)).status(),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(LocalSocketTest, ThisProcessIsOfThisUser) {
  const auto [one, other] = Connected();
  SYNCLINE_EXPECT_OK(one.CheckPeer());
  SYNCLINE_EXPECT_OK(other.CheckPeer());
}

TEST(LocalSocketTest, NoticesThatThePeerHasGone) {
  auto [one, other] = Connected();
  { const LocalSocket gone = std::move(other); }
  char room[4];
  EXPECT_THAT(one.Receive(absl::MakeSpan(room)).status(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(one.Send("a", ""), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(LocalSocketTest, WhatWasSentBeforeTheEndArrives) {
  const auto [one, other] = Connected();
  SYNCLINE_ASSERT_OK(one.Send("", "last"));
  one.ShutdownWrites();
  char room[4];
  SYNCLINE_EXPECT_OK(other.Receive(absl::MakeSpan(room)).status());
  EXPECT_THAT(other.Receive(absl::MakeSpan(room)).status(),
              StatusIs(absl::StatusCode::kUnavailable));
  SYNCLINE_EXPECT_OK(other.Send("", "back"));
  SYNCLINE_EXPECT_OK(one.Receive(absl::MakeSpan(room)).status());
}

TEST(LocalSocketTest, PatienceEndsAWait) {
  const auto [one, other] = Connected();
  other.SetPatience(absl::Milliseconds(20));
  char room[4];
  EXPECT_THAT(other.Receive(absl::MakeSpan(room)).status(),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST(LocalSocketTest, NamesAreCheckedAndTakenOnce) {
  EXPECT_THAT(LocalSocket::Listen("").status(), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(LocalSocket::Connect(std::string(200, 'a')).status(),
              StatusIs(absl::StatusCode::kInvalidArgument));
  const std::string name = AName();
  EXPECT_THAT(LocalSocket::Connect(name).status(), StatusIs(absl::StatusCode::kUnavailable));
  const auto first = LocalSocket::Listen(name);
  SYNCLINE_ASSERT_OK(first.status());
  EXPECT_THAT(LocalSocket::Listen(name).status(), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(LocalSocketTest, TokensDiffer) {
  EXPECT_EQ(RandomToken(16).size(), 16u);
  EXPECT_NE(RandomToken(16), RandomToken(16));
  EXPECT_EQ(HostIdentity(), HostIdentity());
}

}  // namespace
}  // namespace syncline
