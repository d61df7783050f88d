#include "common/obs/status_page.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "common/time/steady_now.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using testing::HasSubstr;

std::string Get(int port, const std::string& path) {
  const int s = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(s, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const std::string request = absl::StrCat("GET ", path, " HTTP/1.0\r\n\r\n");
  EXPECT_EQ(write(s, request.data(), request.size()), static_cast<ssize_t>(request.size()));
  std::string answer;
  char block[4096];
  for (ssize_t n; (n = read(s, block, sizeof(block))) > 0;) answer.append(block, n);
  close(s);
  return answer;
}

TEST(StatusPageTest, ServesMetricsHealthAndReadiness) {
  std::string reason = "not configured yet";
  StatusPage::Options options;
  options.metrics = [] {
    return std::vector<Metric>{
        {"syncline_pushes_total", "Pushes.", Metric::Kind::kCounter, {{"shard", "1"}}, 3}};
  };
  options.not_ready = [&] { return reason; };
  auto page = StatusPage::Start(options);
  SYNCLINE_ASSERT_OK(page);
  EXPECT_THAT(Get((*page)->port(), "/metrics"), HasSubstr("syncline_pushes_total{shard=\"1\"} 3"));
  EXPECT_THAT(Get((*page)->port(), "/healthz"), HasSubstr("200 OK"));
  EXPECT_THAT(Get((*page)->port(), "/readyz"), HasSubstr("not configured yet"));
  reason.clear();
  EXPECT_THAT(Get((*page)->port(), "/readyz"), HasSubstr("200 OK"));
}

TEST(StatusPageTest, APortInUseNamesTheFlag) {
  auto page = StatusPage::Start({});
  SYNCLINE_ASSERT_OK(page);
  StatusPage::Options options;
  options.listen = absl::StrCat("127.0.0.1:", (*page)->port());
  EXPECT_THAT(StatusPage::Start(options).status(),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("--http_port")));
}

TEST(StatusPageTest, ClosesAtOnce) {
  for (const char* listen : {"127.0.0.1:0", "0.0.0.0:0", "localhost:0"}) {
    StatusPage::Options options;
    options.listen = listen;
    auto page = StatusPage::Start(options);
    SYNCLINE_ASSERT_OK(page);
    const absl::Time begun = SteadyNow();
    page->reset();
    EXPECT_LT(SteadyNow() - begun, absl::Seconds(1)) << listen;
  }
}

}  // namespace
}  // namespace syncline
