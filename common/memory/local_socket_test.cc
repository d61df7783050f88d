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
  return {std::move(one), *listener.Accept(absl::Milliseconds(50))};
}

TEST(LocalSocketTest, CarriesBytesAndADescriptor) {
  const auto [one, other] = Connected();
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  SYNCLINE_ASSERT_OK(one.Send("hello", pipe_ends[1]));
  int came = -1;
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const std::string bytes, other.Receive(5, &came));
  EXPECT_EQ(bytes, "hello");
  ASSERT_GE(came, 0);
  EXPECT_NE(came, pipe_ends[1]);
  // It is the same pipe.
  ASSERT_EQ(write(came, "x", 1), 1);
  char byte = 0;
  ASSERT_EQ(read(pipe_ends[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'x');
  for (const int fd : {came, pipe_ends[0], pipe_ends[1]}) close(fd);
}

TEST(LocalSocketTest, ADescriptorNobodyAskedForIsClosed) {
  const auto [one, other] = Connected();
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  SYNCLINE_ASSERT_OK(one.Send("a", pipe_ends[1]));
  close(pipe_ends[1]);
  SYNCLINE_ASSERT_OK(other.Receive(1).status());
  char byte;
  EXPECT_EQ(read(pipe_ends[0], &byte, 1), 0) << "a writer is still open";
  close(pipe_ends[0]);
}

TEST(LocalSocketTest, ThisProcessIsOfThisUser) {
  const auto [one, other] = Connected();
  SYNCLINE_EXPECT_OK(one.CheckPeer());
  SYNCLINE_EXPECT_OK(other.CheckPeer());
}

TEST(LocalSocketTest, NoticesThatThePeerHasGone) {
  auto [one, other] = Connected();
  EXPECT_FALSE(one.PeerGone());
  { const LocalSocket gone = std::move(other); }
  EXPECT_TRUE(one.PeerGone());
  EXPECT_THAT(one.Receive(1).status(), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(LocalSocketTest, ASilentPeerIsGivenUp) {
  const auto [one, other] = Connected();
  EXPECT_THAT(other.Receive(1).status(), StatusIs(absl::StatusCode::kUnavailable));
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
