#include "server/shard/norm_exchange.h"

#include <cmath>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;

StepNormsReply Norm(uint32_t chunk, double squared) {
  StepNormsReply norms;
  norms.add_chunks(chunk);
  norms.add_squared_norms(squared);
  return norms;
}

StepNormsReply ScaledBy(float scale) {
  StepNormsReply norms;
  norms.set_gradient_scale(scale);
  return norms;
}

TEST(NormExchangeTest, TheScaleIsKnownWithTheLastNorm) {
  NormExchange norms(3, 1);
  norms.SetOwn(0, Norm(1, 4));
  EXPECT_EQ(norms.Scale(0), std::nullopt);
  EXPECT_THAT(norms.AddPeer(0, Norm(0, 2)), IsOkAndHolds(false));
  EXPECT_THAT(norms.AddPeer(0, Norm(0, 2)), IsOkAndHolds(false)) << "again";
  EXPECT_THAT(norms.AddPeer(0, Norm(2, 3)), IsOkAndHolds(true));
  EXPECT_EQ(norms.Scale(0), static_cast<float>(1 / (3 + 1e-6)));
}

TEST(NormExchangeTest, ShortGradientsStayAsTheyAre) {
  NormExchange norms(1, 1);
  norms.SetOwn(0, Norm(0, 0.25));
  EXPECT_EQ(norms.Scale(0), 1.0f);
  EXPECT_EQ(NormExchange(1, 0).Scale(7), 1.0f) << "nothing is clipped";
}

TEST(NormExchangeTest, OthersAreToldOfThisStepAndTheOneBefore) {
  NormExchange norms(2, 1);
  EXPECT_THAT(norms.Own(0).status(), StatusIs(StatusCode::kUnavailable));
  norms.SetOwn(0, Norm(0, 1));
  EXPECT_THAT(norms.Own(0)->chunks(), ElementsAre(0));
  EXPECT_THAT(norms.AddPeer(0, Norm(1, 2)), IsOkAndHolds(true));
  EXPECT_THAT(norms.Own(0)->squared_norms(), ElementsAre(1, 2)) << "all that it knows";
  norms.SetOwn(1, Norm(0, 5));
  EXPECT_THAT(norms.Own(0)->squared_norms(), ElementsAre(1, 2));
  EXPECT_THAT(norms.Own(1)->squared_norms(), ElementsAre(5));
}

TEST(NormExchangeTest, BegunAnewTheStepBeforeIsStillKnown) {
  NormExchange norms(2, 1);
  norms.SetOwn(0, Norm(0, 1));
  EXPECT_THAT(norms.AddPeer(0, Norm(1, 2)), IsOkAndHolds(true));
  norms.SetOwn(1, Norm(0, 5));
  EXPECT_THAT(norms.AddPeer(1, Norm(1, 6)), IsOkAndHolds(true));
  norms.Restart(1);
  EXPECT_FALSE(norms.Begun(1));
  EXPECT_THAT(norms.Own(0)->squared_norms(), ElementsAre(1, 2));
  EXPECT_THAT(norms.Own(1).status(), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(norms.AddPeer(1, Norm(1, 6)), IsOkAndHolds(true)) << "nobody waits for it";
}

TEST(NormExchangeTest, ALostShardsScaleTakesThePlaceOfItsNorms) {
  NormExchange heir(2, 1), other(2, 1);
  for (NormExchange* norms : {&heir, &other}) norms->SetOwn(3, Norm(0, 1));
  heir.SetScale(3, 0.5f);
  EXPECT_EQ(heir.Scale(3), 0.5f);
  EXPECT_THAT(heir.AddPeer(3, Norm(1, 6)), IsOkAndHolds(true));
  EXPECT_EQ(heir.Scale(3), 0.5f);
  EXPECT_THAT(other.AddPeer(3, *heir.Own(3)), IsOkAndHolds(true));
  EXPECT_EQ(other.Scale(3), 0.5f);
  heir.SetOwn(4, Norm(0, 1));
  EXPECT_EQ(heir.Own(3)->gradient_scale(), 0.5f) << "also a step later";
}

TEST(NormExchangeTest, AStepThatHasYetToBeginMayHaveAScale) {
  NormExchange norms(2, 1);
  norms.SetScale(0, 0.25f);
  EXPECT_TRUE(norms.Begun(0));
  EXPECT_THAT(norms.AddPeer(0, Norm(1, 6)), IsOkAndHolds(true));
  EXPECT_EQ(norms.Scale(0), 0.25f);
}

TEST(NormExchangeTest, WhatCannotBeRightIsRefused) {
  NormExchange norms(2, 1);
  norms.SetOwn(0, Norm(0, 1));
  EXPECT_THAT(norms.AddPeer(0, Norm(2, 1)).status(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("chunk 2 does not exist")));
  StepNormsReply uneven = Norm(1, 1);
  uneven.add_chunks(1);
  EXPECT_THAT(norms.AddPeer(0, uneven).status(), StatusIs(StatusCode::kInvalidArgument));
  for (const float scale : {-1.0f, 1.5f, NAN}) {
    EXPECT_THAT(norms.AddPeer(0, ScaledBy(scale)).status(),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr("from 0 to 1")));
  }
}

}  // namespace
}  // namespace syncline
