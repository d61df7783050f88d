#include "common/rpc/grpc_status.h"

#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(GrpcStatusTest, EveryCodeGoesRoundWithItsMessage) {
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpcStatus(grpc::Status::OK).ok());
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "because");
    EXPECT_EQ(static_cast<int>(ToGrpcStatus(status).error_code()), code);
    EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(status)), status);
  }
}

TEST(GrpcStatusTest, UnknownNumbersBecomeUnknown) {
  EXPECT_EQ(FromGrpcStatus(grpc::Status(static_cast<grpc::StatusCode>(99), "m")).code(),
            absl::StatusCode::kUnknown);
  EXPECT_EQ(FromGrpcStatus(grpc::Status(static_cast<grpc::StatusCode>(-1), "m")).code(),
            absl::StatusCode::kUnknown);
}

TEST(GrpcStatusTest, OnlyAPeersAbsenceIsTransient) {
  EXPECT_TRUE(IsTransient(absl::UnavailableError("")));
  EXPECT_FALSE(IsTransient(absl::InvalidArgumentError("")));
  EXPECT_FALSE(IsTransient(absl::DeadlineExceededError("")));
  EXPECT_FALSE(IsTransient(absl::FailedPreconditionError("")));
  EXPECT_FALSE(IsTransient(absl::AbortedError("")));
}

}  // namespace
}  // namespace syncline
