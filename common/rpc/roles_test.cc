#include "common/rpc/roles.h"

#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "gtest/gtest.h"
#include "proto/coordinator.pb.h"
#include "proto/health.pb.h"
#include "proto/parameter_server.pb.h"
#include "proto/team.pb.h"

namespace syncline {
namespace {


// "/package.Service/Method" of every method of the services in the file that a message is of.
template <typename Message>
std::vector<std::string> Methods() {
  std::vector<std::string> methods;
  const google::protobuf::FileDescriptor* const file = Message::descriptor()->file();
  for (int s = 0; s < file->service_count(); ++s) {
    for (int m = 0; m < file->service(s)->method_count(); ++m) {
      methods.push_back("/" + file->service(s)->full_name() + "/" + file->service(s)->method(m)->name());
    }
  }
  return methods;
}

TEST(RolesTest, EveryMethodOfEveryServiceSaysWhoMayCallIt) {
  size_t count = 0;
  for (const auto& methods : {Methods<LeaseRequest>(), Methods<PushRequest>(), Methods<TeamMessage>(),
                              Methods<grpc::health::v1::HealthCheckRequest>()}) {
    ASSERT_FALSE(methods.empty());
    for (const std::string& method : methods) {
      EXPECT_TRUE(RolesFor(method).has_value()) << method << " is not in common/rpc/roles.cc";
      EXPECT_NE(RolesFor(method).value_or(0), 0u) << method;
    }
    count += methods.size();
  }
  EXPECT_GT(count, 30u);
}

TEST(RolesTest, AMethodOfOursIsNeverForEverybody) {
  for (const auto& methods : {Methods<LeaseRequest>(), Methods<PushRequest>(), Methods<TeamMessage>()}) {
    for (const std::string& method : methods) EXPECT_NE(RolesFor(method), kAnybody) << method;
  }
}

TEST(RolesTest, WhoTrainsDoesNotRuleAndWhoReadsDoesNotTrain) {
  EXPECT_EQ(RolesFor("/syncline.ParameterServer/ChangeMap"), kCoordinatorRole);
  EXPECT_EQ(RolesFor("/syncline.ParameterServer/HandOver"), kShardRole);
  EXPECT_EQ(RolesFor("/syncline.ParameterServer/Push"), kWorkerRole);
  EXPECT_EQ(RolesFor("/syncline.ParameterServer/Pull"), kWorkerRole | kReaderRole);
  EXPECT_EQ(RolesFor("/syncline.Coordinator/Scale"), kOperatorRole);
  EXPECT_EQ(RolesFor("/grpc.health.v1.Health/Check"), kAnybody);
}

TEST(RolesTest, WhatIsNotKnownIsForNobody) {
  for (const char* method : {"", "/", "/syncline.ParameterServer/", "/syncline.ParameterServer/Pushed", "Push",
                             "/grpc.health.v1.Health", "/syncline.Coordinator/Lease/"}) {
    EXPECT_FALSE(RolesFor(method).has_value()) << method;
  }
}

TEST(RolesTest, ACertificateNamesItsRolesAmongOtherThings) {
  EXPECT_EQ(RolesIn({"syncline://role/worker"}), kWorkerRole);
  EXPECT_EQ(RolesIn({"spiffe://example.org/ns/a", "syncline://role/operator", "syncline://role/reader"}),
            kOperatorRole | kReaderRole);
  EXPECT_EQ(RolesIn({}), 0u);
  EXPECT_EQ(RolesIn({"syncline://role/wroker", "syncline://role/worker/", "syncline://role/", "worker",
                     "other://role/worker", "syncline://role/Worker"}),
            0u);
}

TEST(RolesTest, NamesAreForPeople) {
  EXPECT_EQ(NamesOf(kWorkerRole), "worker");
  EXPECT_EQ(NamesOf(kCoordinatorRole | kReaderRole), "coordinator or reader");
}

}  // namespace
}  // namespace syncline
