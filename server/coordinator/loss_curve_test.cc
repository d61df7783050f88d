#include "server/coordinator/loss_curve.h"

#include "gtest/gtest.h"

namespace syncline {
namespace {

constexpr absl::Time kStart = absl::UnixEpoch();

TEST(LossCurveTest, APointIsTheMeanLossSinceTheOneBefore) {
  LossCurve curve;
  curve.Add(kStart, {}, 0);  // nothing yet
  curve.Add(kStart + absl::Seconds(1), {100, 200}, 0.1);
  curve.Add(kStart + absl::Seconds(2), {200, 400}, 0.2);
  curve.Add(kStart + absl::Seconds(3), {300, 450}, 0.3);
  ASSERT_EQ(curve.points().size(), 2u);
  EXPECT_DOUBLE_EQ(curve.points()[0].loss(), 2);
  EXPECT_DOUBLE_EQ(curve.points()[1].loss(), 0.5);
  EXPECT_DOUBLE_EQ(curve.points()[1].seconds(), 2);
  EXPECT_DOUBLE_EQ(curve.samples_per_second(), 100);
}

TEST(LossCurveTest, AccuracyIsThereForWhatClassifies) {
  LossCurve curve;
  curve.Add(kStart + absl::Seconds(1), {100, 200, 10}, 0.1);
  curve.Add(kStart + absl::Seconds(2), {200, 400, 150}, 0.2);
  ASSERT_EQ(curve.points().size(), 1u);
  EXPECT_DOUBLE_EQ(curve.points()[0].accuracy(), 0.75);
  LossCurve regression;
  regression.Add(kStart, {100, 200}, 1, true);
  EXPECT_FALSE(regression.points()[0].has_accuracy());
}

TEST(LossCurveTest, AShortJobHasAPointToo) {
  LossCurve curve;
  curve.Add(kStart, {100, 200}, 1, true);
  ASSERT_EQ(curve.points().size(), 1u);
  EXPECT_DOUBLE_EQ(curve.points()[0].loss(), 2);
  curve.Add(kStart, {100, 200}, 1, true);
  EXPECT_EQ(curve.points().size(), 1u) << "said again";
}

TEST(LossCurveTest, StaysShort) {
  LossCurve curve;
  for (int i = 1; i < 100000; ++i) {
    curve.Add(kStart + absl::Seconds(i), {static_cast<uint64_t>(i) * 10, i * 5.0, i * 2.5}, i * 0.01);
  }
  EXPECT_LE(curve.points().size(), 1000u);
  EXPECT_GE(curve.points().size(), 400u);
  EXPECT_NEAR(curve.points()[100].loss(), 0.5, 1e-9);
  EXPECT_NEAR(curve.points()[100].accuracy(), 0.25, 1e-9);
}

}  // namespace
}  // namespace syncline
