#include "worker/train/local_stepper.h"

#include <vector>

#include "common/config/manifest.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "worker/model/open_device.h"

namespace syncline {
namespace {

class LocalStepperTest : public testing::Test {
 protected:
  LocalStepperTest() {
    job_.mutable_model()->set_input(2);
    job_.mutable_model()->add_layers()->mutable_linear()->set_units(1);
    job_.mutable_model()->set_loss(MEAN_SQUARED_ERROR);
    job_.mutable_data()->set_format(RANDOM_LINEAR);
    job_.mutable_data()->set_samples(8);
    job_.set_name("test");
    job_.set_local_steps(4);
    job_.mutable_optimizer()->set_learning_rate(0.5);
    OpenDeviceOptions cpu;
    cpu.device = "cpu";
    device_ = *OpenDevice(cpu);
  }

  void Make() {
    SYNCLINE_ASSERT_OK(CompleteManifest(&job_));
    network_ = *Network::Create(job_.model(), device_.get(), 8, 1);
    SYNCLINE_ASSERT_OK_AND_ASSIGN(stepper_, LocalStepper::Create(job_, network_.get()));
    // The weight is [1, 2], the bias 3.
    network_->value(0)[0] = 1;
    network_->value(0)[1] = 2;
    network_->value(1)[0] = 3;
    stepper_->Begin();
  }
  void Step(uint64_t number, float weight0, float weight1, float bias) {
    network_->gradient(0)[0] = weight0;
    network_->gradient(0)[1] = weight1;
    network_->gradient(1)[0] = bias;
    stepper_->Step(number);
  }

  JobManifest job_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<LocalStepper> stepper_;
};

TEST_F(LocalStepperTest, UpdatesValuesAndSaysHowTheyChanged) {
  Make();
  Step(0, 2, 0, -4);
  Step(1, 2, 0, 0);
  EXPECT_EQ(network_->value(0)[0], -1);
  EXPECT_EQ(network_->value(0)[1], 2);
  EXPECT_EQ(network_->value(1)[0], 5);
  stepper_->WriteChange();
  // What was less what is: a gradient's direction.
  EXPECT_EQ(network_->gradient(0)[0], 2);
  EXPECT_EQ(network_->gradient(0)[1], 0);
  EXPECT_EQ(network_->gradient(1)[0], -2);
}

TEST_F(LocalStepperTest, BeginsAnewFromPulledValuesAndKeepsItsMomentum) {
  job_.mutable_optimizer()->set_kind(MOMENTUM);
  job_.mutable_optimizer()->set_momentum(0.5);
  Make();
  Step(0, 2, 0, 0);  // velocity 2
  network_->value(0)[0] = 10;
  stepper_->Begin();
  Step(4, 0, 0, 0);  // velocity 1
  EXPECT_EQ(network_->value(0)[0], 9.5f);
  stepper_->WriteChange();
  EXPECT_EQ(network_->gradient(0)[0], 0.5f);
}

TEST_F(LocalStepperTest, ClipsByTheNormOfTheWholeGradient) {
  job_.mutable_optimizer()->set_clip_norm(1);
  Make();
  Step(0, 3, 0, 4);
  EXPECT_NEAR(network_->value(0)[0], 1 - 0.5 * 0.6, 1e-6);
  EXPECT_NEAR(network_->value(1)[0], 3 - 0.5 * 0.8, 1e-6);
}

TEST_F(LocalStepperTest, FollowsTheScheduleOfTheJobsLocalSteps) {
  job_.mutable_optimizer()->mutable_schedule()->set_kind(STEP);
  job_.mutable_optimizer()->mutable_schedule()->set_step_size(2);
  job_.mutable_optimizer()->mutable_schedule()->set_gamma(0.5);
  Make();
  Step(2, 1, 0, 0);
  EXPECT_EQ(network_->value(0)[0], 0.75f);
}

}  // namespace
}  // namespace syncline
