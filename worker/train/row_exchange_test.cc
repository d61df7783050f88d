#include "worker/train/row_exchange.h"

#include <algorithm>
#include <vector>

#include "common/config/manifest.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "worker/model/open_device.h"
#include "worker/train/fake_client.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::ElementsAre;

// Two categorical fields, whose rows have two floats, and no other features.
JobManifest Job() {
  JobManifest job;
  job.set_name("test");
  job.mutable_model()->add_sparse()->set_table("rows");
  job.mutable_model()->add_layers()->mutable_linear()->set_units(1);
  job.mutable_model()->set_loss(MEAN_SQUARED_ERROR);
  job.mutable_data()->set_format(CSV);
  job.mutable_data()->set_train("train.csv");
  job.mutable_data()->set_columns("label, category, category");
  Table* const table = job.add_tables();
  table->set_name("rows");
  table->set_dim(2);
  SYNCLINE_EXPECT_OK(CompleteManifest(&job));
  return job;
}

class RowExchangeTest : public testing::Test {
 protected:
  RowExchangeTest() : client_(Job(), {}) {
    OpenDeviceOptions cpu;
    cpu.device = "cpu";
    device_ = *OpenDevice(cpu);
    rows_ = *RowExchange::Create(&client_, device_.get(), 4, std::make_shared<BusyTime>());
  }

  FakeClient client_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<RowExchange> rows_;
};

constexpr uint64_t kKeys[] = {7, 9, 7, 8};  // of two samples

TEST_F(RowExchangeTest, RowsBecomeFeaturesAndTheirGradientsArePushedOnceAKey) {
  EXPECT_EQ(rows_->width(), 4u);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const float* const features, rows_->Pull(3, 2, kKeys, nullptr));
  EXPECT_THAT(std::vector<float>(features, features + 8), ElementsAre(7, 7, 9, 9, 7, 7, 8, 8));
  std::fill_n(rows_->feature_gradient(), 8, 0.5f);
  SYNCLINE_ASSERT_OK(rows_->Push(3));
  SYNCLINE_EXPECT_OK(rows_->Wait());
  ASSERT_EQ(client_.row_pushes.size(), 1u);
  EXPECT_EQ(client_.row_pushes[0].clock, 3u);
  EXPECT_THAT(client_.row_pushes[0].keys, ElementsAre(7, 9, 8));
  EXPECT_THAT(client_.row_pushes[0].gradients, ElementsAre(1, 1, 0.5f, 0.5f, 0.5f, 0.5f));
  SYNCLINE_EXPECT_OK(rows_->Wait()) << "nothing is under way";
}

TEST_F(RowExchangeTest, WithoutAClockRowsAreJustLookedAt) {
  client_.row_outcomes[0].verdict = PullReply::STOPPED;
  SYNCLINE_EXPECT_OK(rows_->Pull(std::nullopt, 2, kKeys, nullptr).status());
}

TEST_F(RowExchangeTest, SaysWhyAStepWasNotGranted) {
  client_.row_outcomes[5] = {PullReply::STOPPED, 5, false};
  EXPECT_THAT(rows_->Pull(5, 2, kKeys, nullptr), StatusIs(StatusCode::kAborted));
  EXPECT_FALSE(rows_->closed());
  client_.row_outcomes[6] = {PullReply::STEP_CLOSED, 8, false};
  EXPECT_THAT(rows_->Pull(6, 2, kKeys, nullptr), StatusIs(StatusCode::kAborted));
  EXPECT_EQ(rows_->closed(), 8u);
  SYNCLINE_EXPECT_OK(rows_->Pull(8, 2, kKeys, nullptr).status());
  EXPECT_FALSE(rows_->closed());
}

TEST_F(RowExchangeTest, APushThatFailsIsSeenByWhoWaits) {
  SYNCLINE_ASSERT_OK(rows_->Pull(3, 2, kKeys, nullptr).status());
  client_.push_status = absl::UnavailableError("away");
  SYNCLINE_EXPECT_OK(rows_->Push(3));
  EXPECT_THAT(rows_->Wait(), StatusIs(StatusCode::kUnavailable));
}

}  // namespace
}  // namespace syncline
