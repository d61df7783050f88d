#include "common/rpc/security.h"

#include <fstream>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using ::testing::HasSubstr;

TEST(SecurityTest, LoopbackIsKnownByNumberOrName) {
  for (const char* address : {"127.0.0.1:0", "127.8.0.3:7000", "localhost:1", "[::1]:1"}) {
    EXPECT_TRUE(IsLoopback(address)) << address;
  }
  for (const char* address : {"0.0.0.0:1", "10.0.0.1:1", "[::]:1", "127.0.0.1.example.com:1",
                              "127.evil.example.com:1", "127.0.0.1", "", "localhost.example:1"}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

TEST(SecurityTest, OutsideLoopbackPlaintextMustBeAskedFor) {
  SecurityOptions options;
  EXPECT_THAT(CheckListenAddress("0.0.0.0:7000", options),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("--allow_plaintext")));
  options.allow_plaintext = true;
  SYNCLINE_EXPECT_OK(CheckListenAddress("0.0.0.0:7000", options));
  options = SecurityOptions();
  options.cert_file = options.key_file = options.ca_file = "x";
  SYNCLINE_EXPECT_OK(CheckListenAddress("0.0.0.0:7000", options));
}

TEST(SecurityTest, TheThreeFilesGoTogether) {
  SecurityOptions options;
  options.key_file = "key.pem";
  EXPECT_THAT(ServerCredentialsFor(options).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("go together")));
}

TEST(SecurityTest, FilesThatAreNoPemAreNamed) {
  const std::string path = ::testing::TempDir() + "/not.pem";
  std::ofstream(path) << "hello";
  SecurityOptions options;
  options.cert_file = path;
  options.key_file = options.ca_file = "/no/such/file";
  EXPECT_THAT(ChannelCredentialsFor(options).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--tls_cert: " + path)));
  options.cert_file = "/no/such/file";
  EXPECT_THAT(ChannelCredentialsFor(options).status(),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("--tls_cert: cannot read")));
}

}  // namespace
}  // namespace syncline
