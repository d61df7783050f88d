#include "common/rpc/role_check.h"

#include <cstdlib>
#include <string>

#include "common/rpc/call.h"
#include "common/rpc/call_raw.h"
#include "common/rpc/channel.h"
#include "common/rpc/server_runtime.h"
#include "common/status/status_matchers.h"
#include "common/time/steady_now.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/coordinator.grpc.pb.h"
#include "proto/health.grpc.pb.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

constexpr char kEverybody[] = "coordinator,shard,worker,operator,reader";

// A certificate with these roles, of the one authority of this test.
SecurityOptions Certificate(const std::string& roles) {
  const std::string folder = testing::TempDir() + "/certificates";
  const std::string command = "deploy/tls/issue " + folder + " " + roles + " " + roles + " 127.0.0.1";
  EXPECT_EQ(std::system(command.c_str()), 0) << "openssl is needed (package openssl)";
  SecurityOptions security;
  security.cert_file = folder + "/" + roles + ".pem";
  security.key_file = folder + "/" + roles + ".key";
  security.ca_file = folder + "/ca.pem";
  return security;
}

class FakeCoordinator final : public Coordinator::Service {
 public:
  explicit FakeCoordinator(const SecurityOptions& security) : callers_(security) {}

  grpc::Status Lease(grpc::ServerContext*, const LeaseRequest*, LeaseReply*) override { return grpc::Status::OK; }
  grpc::Status Scale(grpc::ServerContext*, const ScaleRequest*, ScaleReply*) override { return grpc::Status::OK; }
  grpc::Status Heartbeat(grpc::ServerContext* context, const HeartbeatRequest*, HeartbeatReply*) override {
    return ToGrpcStatus(callers_.Check(*context, kShardRole, "the heartbeat of a shard"));
  }

 private:
  const CallerRoles callers_;
};

class RoleCheckTest : public testing::Test {
 protected:
  void Start(bool roles, Roles callers = kEveryRole) {
    ServerRuntime::Options options;
    options.security = Certificate(kEverybody);
    options.security.roles = roles;
    options.callers = callers;
    service_ = std::make_unique<FakeCoordinator>(options.security);
    auto runtime = ServerRuntime::Start(options, {service_.get()});
    SYNCLINE_ASSERT_OK(runtime);
    runtime_ = *std::move(runtime);
  }
  template <typename Reply, typename Service = Coordinator, typename Method, typename Request>
  absl::Status Ask(const std::string& roles, Method method, const Request& request) {
    const auto stub = Service::NewStub(*MakeChannel(runtime_->address(), Certificate(roles)));
    return CallUntil<Reply>(SteadyNow() + absl::Seconds(20), "asking", *stub, method, request, absl::Seconds(5)).status();
  }
  absl::Status Lease(const std::string& roles) {
    return Ask<LeaseReply>(roles, &Coordinator::Stub::Lease, LeaseRequest());
  }

  std::unique_ptr<FakeCoordinator> service_;
  std::unique_ptr<ServerRuntime> runtime_;
};

TEST_F(RoleCheckTest, ACallerDoesWhatItsCertificateAllows) {
  Start(true);
  SYNCLINE_EXPECT_OK(Lease("worker"));
  SYNCLINE_EXPECT_OK(Lease("reader,worker"));
  EXPECT_THAT(Ask<ScaleReply>("worker", &Coordinator::Stub::Scale, ScaleRequest()),
              StatusIs(StatusCode::kPermissionDenied,
                       AllOf(HasSubstr("/syncline.Coordinator/Scale is for operator"),
                             HasSubstr("says syncline://role/worker"))));
}

TEST_F(RoleCheckTest, ACertificateThatNamesNoRoleAnswersNoMoreThanHealth) {
  Start(true);
  const SecurityOptions plain = Certificate("worker");
  const std::string folder = plain.ca_file.substr(0, plain.ca_file.rfind('/'));
  const std::string commands =
      "cd " + folder + " && openssl req -newkey rsa:2048 -nodes -subj /CN=worker -keyout plain.key -out plain.csr 2>log"
      " && openssl x509 -req -in plain.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out plain.pem 2>>log";
  ASSERT_EQ(std::system(commands.c_str()), 0);
  const SecurityOptions security{folder + "/plain.pem", folder + "/plain.key", plain.ca_file};
  const auto channel = *MakeChannel(runtime_->address(), security);
  const auto stub = Coordinator::NewStub(channel);
  EXPECT_THAT(Call<LeaseReply>(*stub, &Coordinator::Stub::Lease, LeaseRequest(), absl::Seconds(20)).status(),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("has no URI")));
  using grpc::health::v1::Health;
  const auto health = Health::NewStub(channel);
  SYNCLINE_EXPECT_OK(Call<grpc::health::v1::HealthCheckResponse>(
                         *health, &Health::Stub::Check, grpc::health::v1::HealthCheckRequest(), absl::Seconds(20))
                         .status());
}

TEST_F(RoleCheckTest, WhoeverHasNoBusinessWithAServerIsRefusedThere) {
  Start(true, kReaderRole);
  EXPECT_THAT(Lease("worker"), StatusIs(StatusCode::kPermissionDenied, HasSubstr("not for this server")));
}

TEST_F(RoleCheckTest, MethodsThatNobodyListedAreThereForNobody) {
  Start(true);
  const auto channel = *MakeChannel(runtime_->address(), Certificate(kEverybody));
  EXPECT_THAT(CallRaw(channel, "/syncline.Coordinator/Leases", grpc::ByteBuffer(), absl::Seconds(20)).status(),
              StatusIs(StatusCode::kUnimplemented, HasSubstr("no method /syncline.Coordinator/Leases")));
}

TEST_F(RoleCheckTest, AServiceAsksForPartOfACall) {
  Start(true);
  SYNCLINE_EXPECT_OK(Ask<HeartbeatReply>("shard", &Coordinator::Stub::Heartbeat, HeartbeatRequest()));
  EXPECT_THAT(Ask<HeartbeatReply>("worker", &Coordinator::Stub::Heartbeat, HeartbeatRequest()),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("the heartbeat of a shard is for shard")));
}

TEST_F(RoleCheckTest, WithoutItEveryCertificateDoesEverything) {
  Start(false);
  SYNCLINE_EXPECT_OK(Ask<ScaleReply>("worker", &Coordinator::Stub::Scale, ScaleRequest()));
  SYNCLINE_EXPECT_OK(Ask<HeartbeatReply>("worker", &Coordinator::Stub::Heartbeat, HeartbeatRequest()));
}

}  // namespace
}  // namespace syncline
