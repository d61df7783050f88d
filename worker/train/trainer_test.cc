#include "worker/train/trainer.h"

#include <cmath>
#include <memory>
#include <set>

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
using testing::HasSubstr;
using testing::IsEmpty;

// 200 inputs, 100 hidden units, one output: a tensor worth a message of its own, three that are not.
const std::vector<size_t> kSizes = {200 * 100, 100, 100, 1};

JobManifest Job() {
  JobManifest job;
  job.mutable_model()->set_input(200);
  job.mutable_model()->add_layers()->mutable_linear()->set_units(100);
  job.mutable_model()->add_layers()->mutable_linear()->set_units(1);
  job.mutable_model()->set_loss(MEAN_SQUARED_ERROR);
  job.mutable_data()->set_format(RANDOM_LINEAR);
  job.mutable_data()->set_samples(32);
  job.set_name("test");
  job.set_batch_size(8);
  SYNCLINE_EXPECT_OK(CompleteManifest(&job));
  return job;
}

LeaseReply Steps(Clock first, int count) {
  LeaseReply reply;
  for (int i = 0; i < count; ++i) {
    StepLease* step = reply.add_steps();
    step->set_clock(first + i);
    step->set_begin((first + i) % 3 * 8);
    step->set_count(8);
    step->add_contributors(0);
  }
  return reply;
}

class TrainerTest : public testing::Test {
 protected:
  absl::Status Run(const JobManifest& job = Job()) {
    if (client_ == nullptr) Make(job);
    OpenDeviceOptions cpu;
    cpu.device = "cpu";
    device_ = *OpenDevice(cpu);
    network_ = *Network::Create(job.model(), device_.get(), 8, 1);
    Trainer::Options options;
    options.client = client_.get();
    options.network = network_.get();
    options.device = device_.get();
    options.data = *LoadTrainingData(job);
    options.data.test = options.data.train;
    options.stop = stop_;
    const auto trainer = *Trainer::Create(options);
    return trainer->Run();
  }
  void Make(const JobManifest& job) { client_ = std::make_unique<FakeClient>(job, kSizes); }

  std::unique_ptr<FakeClient> client_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<Network> network_;
  std::function<bool()> stop_;
};

TEST_F(TrainerTest, PushesEveryGradientOnceAStepThenCommits) {
  Make(Job());
  client_->leases = {Steps(0, 2), Steps(2, 1)};
  SYNCLINE_ASSERT_OK(Run());
  EXPECT_THAT(client_->pulls, ElementsAre(0, 1, 2));
  ASSERT_EQ(client_->commits.size(), 3u);
  for (Clock step = 0; step < 3; ++step) {
    EXPECT_EQ(client_->commits[step].clock, step);
    EXPECT_EQ(client_->commits[step].samples, 8u);
    std::multiset<size_t> tensors;
    for (const auto& push : client_->pushes) {
      if (push.clock == step) tensors.insert(push.tensors.begin(), push.tensors.end());
    }
    EXPECT_THAT(tensors, ElementsAre(0, 1, 2, 3));
  }
  EXPECT_THAT(client_->asked_from, ElementsAre(0, 2, 3));
  EXPECT_THAT(client_->left_at, ElementsAre(3));
  EXPECT_EQ(client_->last_progress.samples(), 24u);
  EXPECT_TRUE(client_->last_progress.has_test_loss()) << "the lease asked for an evaluation";
  EXPECT_FALSE(client_->last_progress.has_test_auc()) << "a mean squared error ranks nothing";
}

TEST_F(TrainerTest, LogisticModelsAreScored) {
  JobManifest job = Job();
  job.mutable_model()->set_loss(LOGISTIC);
  Make(job);
  client_->leases = {Steps(0, 1)};
  SYNCLINE_ASSERT_OK(Run(job));
  ASSERT_TRUE(client_->last_progress.has_test_auc());
  EXPECT_GE(client_->last_progress.test_auc(), 0);
  EXPECT_LE(client_->last_progress.test_auc(), 1);
}

TEST_F(TrainerTest, DataMustFitTheNetwork) {
  JobManifest other = Job();
  OpenDeviceOptions cpu;
  cpu.device = "cpu";
  device_ = *OpenDevice(cpu);
  other.mutable_model()->set_input(199);
  network_ = *Network::Create(other.model(), device_.get(), 8, 1);
  Make(Job());
  Trainer::Options options;
  options.client = client_.get();
  options.network = network_.get();
  options.device = device_.get();
  options.data = *LoadTrainingData(Job());
  EXPECT_THAT(Trainer::Create(options).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("takes 199 numbers a sample, and the data has 200")));
}

TEST_F(TrainerTest, SmallGradientsTravelTogether) {
  Make(Job());
  client_->leases = {Steps(0, 1)};
  SYNCLINE_ASSERT_OK(Run());
  EXPECT_LE(client_->pushes.size(), 2u) << "one of the four is worth a message";
}

TEST_F(TrainerTest, LocalStepsArePushedAsOneChange) {
  JobManifest job = Job();
  job.set_local_steps(3);
  job.mutable_optimizer()->set_learning_rate(1e-5);
  Make(job);
  client_->leases = {Steps(0, 1)};
  client_->leases[0].mutable_steps(0)->set_count(20);  // batches of 8, 8 and 4
  SYNCLINE_ASSERT_OK(Run(job));
  std::multiset<size_t> tensors;
  for (const auto& push : client_->pushes) tensors.insert(push.tensors.begin(), push.tensors.end());
  EXPECT_THAT(tensors, ElementsAre(0, 1, 2, 3));
  ASSERT_EQ(client_->commits.size(), 1u);
  EXPECT_EQ(client_->commits[0].samples, 20u);
  EXPECT_NE(client_->gradients[3][0], 0) << "the output's bias has moved";
  EXPECT_LT(std::abs(client_->gradients[3][0]), 0.1) << "by three small steps, not by a gradient";
}

TEST_F(TrainerTest, AStepTheShardsStopAtIsDoneIfTheJobGoesOn) {
  Make(Job());
  // While shards settle where to stop, one may name a step that is then still made.
  client_->leases = {Steps(0, 3), Steps(1, 2)};
  client_->outcomes[1] = {PullReply::STOPPED, 1};
  SYNCLINE_ASSERT_OK(Run());
  ASSERT_EQ(client_->commits.size(), 3u);
  EXPECT_EQ(client_->commits[1].clock, 1u);
  EXPECT_THAT(client_->left_at, ElementsAre(3));
}

TEST_F(TrainerTest, AStepTheShardsStopAtEndsADrainedJob) {
  Make(Job());
  client_->leases = {Steps(0, 3)};
  client_->outcomes[2] = {PullReply::STOPPED, 2};
  SYNCLINE_ASSERT_OK(Run());
  EXPECT_EQ(client_->commits.size(), 2u);
  EXPECT_THAT(client_->left_at, ElementsAre(2)) << "the first step not committed";
}

TEST_F(TrainerTest, StepsMadeWithoutItAreSkipped) {
  Make(Job());
  client_->leases = {Steps(0, 5)};
  client_->outcomes[1] = {PullReply::STEP_CLOSED, 4};
  SYNCLINE_ASSERT_OK(Run());
  ASSERT_EQ(client_->commits.size(), 2u);
  EXPECT_EQ(client_->commits[1].clock, 4u);
}

TEST_F(TrainerTest, StopsBetweenSteps) {
  Make(Job());
  client_->leases = {Steps(0, 5)};
  stop_ = [this] { return client_->commits.size() >= 2; };
  SYNCLINE_ASSERT_OK(Run());
  EXPECT_EQ(client_->commits.size(), 2u);
  EXPECT_THAT(client_->left_at, ElementsAre(2));
}

TEST_F(TrainerTest, AFailedPushEndsTheRunWithoutACommit) {
  Make(Job());
  client_->leases = {Steps(0, 5)};
  client_->push_status = absl::InvalidArgumentError("the gradient of tensor x holds NaN");
  EXPECT_THAT(Run(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("NaN")));
  EXPECT_THAT(client_->commits, IsEmpty());
  EXPECT_THAT(client_->left_at, IsEmpty()) << "it is lost, not gone in good order";
}

TEST_F(TrainerTest, WithoutAStagedStepTheWorkerClipsByTheNormOfTheWholeGradient) {
  JobManifest job = Job();
  job.set_sync_mode(ASYNC);
  job.mutable_optimizer()->set_clip_norm(0.01);
  Make(job);
  client_->leases = {Steps(0, 1)};
  SYNCLINE_ASSERT_OK(Run(job));
  double squared = 0;
  for (const auto& [tensor, gradient] : client_->gradients) {
    for (const float g : gradient) squared += double{g} * g;
  }
  EXPECT_EQ(client_->gradients.size(), 4u);
  EXPECT_NEAR(std::sqrt(squared), 0.01, 1e-5);
}

}  // namespace
}  // namespace syncline
