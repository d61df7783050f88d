#include "common/rpc/server_runtime.h"

#include <cstdlib>
#include <string>

#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/status/status_matchers.h"
#include "common/time/steady_now.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/coordinator.grpc.pb.h"
#include "proto/health.grpc.pb.h"

// gRPC 1.51 forgets a little memory of each handshake that fails, which is what a test below is about.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:gpr_realloc\n"; }

namespace syncline {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

// Answers status calls; the first `away` of them with UNAVAILABLE.
class FakeCoordinator final : public syncline::Coordinator::Service {
 public:
  grpc::Status ClusterStatus(grpc::ServerContext*, const ClusterStatusRequest*,
                             ClusterStatusReply* reply) override {
    if (away-- > 0) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "come back");
    reply->set_step(7);
    return grpc::Status::OK;
  }
  int away = 0;
};

absl::StatusOr<ClusterStatusReply> Ask(const std::string& address, const SecurityOptions& security,
                                       absl::Duration patience) {
  const auto channel = *MakeChannel(address, security);
  const auto stub = Coordinator::NewStub(channel);
  return CallUntil<ClusterStatusReply>(SteadyNow() + patience, "asking", *stub,
                                       &Coordinator::Stub::ClusterStatus, ClusterStatusRequest(),
                                       absl::Seconds(5));
}

TEST(ServerRuntimeTest, ServesAndRetriesReachIt) {
  FakeCoordinator service;
  service.away = 2;
  auto runtime = ServerRuntime::Start({}, {&service});
  SYNCLINE_ASSERT_OK(runtime);
  const auto reply = Ask((*runtime)->address(), {}, absl::Seconds(20));
  SYNCLINE_ASSERT_OK(reply);
  EXPECT_EQ(reply->step(), 7u);
}

TEST(ServerRuntimeTest, GivesUpAtTheDeadlineAndSaysWhatItDid) {
  const auto reply = Ask("127.0.0.1:1", {}, absl::Milliseconds(100));
  EXPECT_THAT(reply.status(), StatusIs(StatusCode::kUnavailable, HasSubstr("asking")));
}

TEST(ServerRuntimeTest, APortInUseNamesTheFlag) {
  FakeCoordinator first, second;
  auto runtime = ServerRuntime::Start({}, {&first});
  SYNCLINE_ASSERT_OK(runtime);
  ServerRuntime::Options options;
  options.listen = (*runtime)->address();
  EXPECT_THAT(ServerRuntime::Start(options, {&second}).status(),
              StatusIs(StatusCode::kUnavailable, HasSubstr("--listen=127.0.0.1")));
}

TEST(ServerRuntimeTest, PlaintextOutsideLoopbackIsRefused) {
  FakeCoordinator service;
  ServerRuntime::Options options;
  options.listen = "0.0.0.0:0";
  EXPECT_THAT(ServerRuntime::Start(options, {&service}).status(),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("allow_plaintext")));
}

TEST(ServerRuntimeTest, TellsItsHealthAndItsChanges) {
  using grpc::health::v1::Health;
  using grpc::health::v1::HealthCheckRequest;
  using grpc::health::v1::HealthCheckResponse;
  FakeCoordinator service;
  auto runtime = ServerRuntime::Start({}, {&service});
  SYNCLINE_ASSERT_OK(runtime);
  const auto stub = Health::NewStub(*MakeChannel((*runtime)->address(), {}));
  const auto check = [&](const std::string& name) {
    HealthCheckRequest request;
    request.set_service(name);
    return Call<HealthCheckResponse>(*stub, &Health::Stub::Check, request, absl::Seconds(10));
  };
  EXPECT_EQ(check("")->status(), HealthCheckResponse::NOT_SERVING) << "until it is told";
  EXPECT_THAT(check("syncline.Other").status(), StatusIs(StatusCode::kNotFound, HasSubstr("empty")));
  grpc::ClientContext context;
  const auto watch = stub->Watch(&context, HealthCheckRequest());
  HealthCheckResponse told;
  ASSERT_TRUE(watch->Read(&told));
  EXPECT_EQ(told.status(), HealthCheckResponse::NOT_SERVING);
  (*runtime)->SetServing(true);
  ASSERT_TRUE(watch->Read(&told));
  EXPECT_EQ(told.status(), HealthCheckResponse::SERVING);
  EXPECT_EQ(check("")->status(), HealthCheckResponse::SERVING);
  (*runtime)->Shutdown(absl::Seconds(5));
  EXPECT_FALSE(watch->Read(&told)) << "nobody holds up a server that goes";
  watch->Finish();
}

// One authority and one certificate for everybody, in a folder of the test's own.
SecurityOptions MakeCertificates(const std::string& name) {
  const std::string folder = testing::TempDir() + "/" + name;
  EXPECT_EQ(std::system(("deploy/tls/issue " + folder + " host operator 127.0.0.1").c_str()), 0)
      << "openssl is needed (package openssl)";
  SecurityOptions security;
  security.cert_file = folder + "/host.pem";
  security.key_file = folder + "/host.key";
  security.ca_file = folder + "/ca.pem";
  return security;
}

TEST(ServerRuntimeTest, MutualTlsLetsInOnlyWhoHasACertificate) {
  const SecurityOptions ours = MakeCertificates("ours");
  const SecurityOptions theirs = MakeCertificates("theirs");
  FakeCoordinator service;
  ServerRuntime::Options options;
  options.security = ours;
  auto runtime = ServerRuntime::Start(options, {&service});
  SYNCLINE_ASSERT_OK(runtime);
  SYNCLINE_EXPECT_OK(Ask((*runtime)->address(), ours, absl::Seconds(20)));
  EXPECT_FALSE(Ask((*runtime)->address(), theirs, absl::Milliseconds(300)).ok());
  EXPECT_FALSE(Ask((*runtime)->address(), {}, absl::Milliseconds(300)).ok());
}

}  // namespace
}  // namespace syncline
