// A network whose layers several threads share makes the loss and the gradients of the whole one.

#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "worker/backend/cpu/cpu_backend.h"
#include "worker/model/network.h"
#include "worker/model/tensor_group.h"

namespace syncline {
namespace {

constexpr int kRows = 5;

// Where the threads of a group meet, each with what it brings.
class Meeting {
 public:
  explicit Meeting(int parts) : brought_(parts) {}

  // What all have brought, once they have.
  std::vector<std::vector<float>> Bring(int part, std::vector<float> floats) {
    absl::MutexLock lock(&mu_);
    const auto left = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return leaving_ == 0; };
    mu_.Await(absl::Condition(&left));
    brought_[part] = std::move(floats);
    if (++there_ == static_cast<int>(brought_.size())) leaving_ = std::exchange(there_, 0);
    const auto all = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return leaving_ > 0; };
    mu_.Await(absl::Condition(&all));
    auto taken = brought_;
    --leaving_;
    return taken;
  }

 private:
  absl::Mutex mu_;
  int there_ ABSL_GUARDED_BY(mu_) = 0;
  int leaving_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<std::vector<float>> brought_ ABSL_GUARDED_BY(mu_);
};

class ThreadGroup final : public TensorGroup {
 public:
  ThreadGroup(Meeting* meeting, int part, int parts) : TensorGroup(part, parts), meeting_(meeting) {}

  absl::Status StartSum(float* data, size_t floats) override {
    sum_ = data;
    mine_.assign(data, data + floats);
    return absl::OkStatus();
  }
  absl::Status FinishSum() override {
    const auto all = meeting_->Bring(part(), mine_);
    for (size_t i = 0; i < mine_.size(); ++i) {
      sum_[i] = 0.0f;
      for (const auto& one : all) sum_[i] += one[i];
    }
    return absl::OkStatus();
  }
  absl::Status Gather(int rows, int width, const float* own, float* whole) override {
    const auto all = meeting_->Bring(part(), {own, own + rows * AxisPart::Of(width, this).here()});
    for (int p = 0; p < parts(); ++p) {
      const PartRange columns = PartOf(width, p, parts());
      const int64_t each = columns.end - columns.begin;
      for (int r = 0; r < rows; ++r) {
        std::copy_n(all[p].data() + r * each, each, whole + r * width + columns.begin);
      }
    }
    return absl::OkStatus();
  }
  absl::Status Take(int rows, int width, const float* whole, float* own) override {
    const AxisPart columns = AxisPart::Of(width, this);
    for (int r = 0; r < rows; ++r) {
      std::copy_n(whole + r * width + columns.begin, columns.here(), own + r * columns.here());
    }
    return absl::OkStatus();
  }

 private:
  Meeting* const meeting_;
  float* sum_ = nullptr;
  std::vector<float> mine_;
};

// Element `here` of a slice, in the whole tensor.
int64_t Whole(const TensorSlice& slice, int64_t here) {
  if (slice.whole()) return here;
  const int64_t each = slice.end - slice.begin;
  return here / each * slice.period + slice.begin + here % each;
}

class TensorSplitTest : public ::testing::TestWithParam<std::pair<const char*, const char*>> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(GetParam().second, &model_));
    std::mt19937 random(42);
    std::uniform_real_distribution<float> uniform(-0.8f, 0.8f);
    SYNCLINE_ASSERT_OK_AND_ASSIGN(device_, Device::Open(CpuBackend()));
    SYNCLINE_ASSERT_OK_AND_ASSIGN(whole_, Network::Create(model_, device_.get(), kRows, 7));
    for (size_t p = 0; p < whole_->parameters().size(); ++p) {
      for (int64_t i = 0; i < whole_->parameters()[p].size(); ++i) whole_->value(p)[i] = uniform(random);
    }
    const bool tokens = model_.layers(0).has_embedding();
    for (uint32_t i = 0; i < kRows * model_.input(); ++i) {
      features_.push_back(tokens ? static_cast<float>(random() % 8) : uniform(random));
    }
    for (uint32_t i = 0; i < kRows * model_.input(); ++i) labels_.push_back(static_cast<int>(random() % 3));
    batch_ = {kRows, features_.data(), labels_.data(), nullptr, 3, 12};
    SYNCLINE_ASSERT_OK(whole_->Forward(batch_));
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const BatchResult result, whole_->Result());
    loss_ = result.loss_sum;
    SYNCLINE_ASSERT_OK(whole_->Backward());
  }

  // Of part `part` of `parts`.
  void Compare(Meeting* meeting, int part, int parts) {
    const auto device = Device::Open(CpuBackend());
    SYNCLINE_ASSERT_OK(device);
    ThreadGroup group(meeting, part, parts);
    Network::Part own;
    own.group = &group;
    const auto network = Network::Create(model_, device->get(), kRows, 7, nullptr, own);
    SYNCLINE_ASSERT_OK(network);
    ASSERT_EQ((*network)->parameters().size(), whole_->parameters().size());
    for (size_t p = 0; p < whole_->parameters().size(); ++p) {
      const ParameterSpec& spec = (*network)->parameters()[p];
      ASSERT_EQ(spec.name, whole_->parameters()[p].name);
      ASSERT_EQ(spec.shape, whole_->parameters()[p].shape);
      for (int64_t i = 0; i < spec.size(); ++i) (*network)->value(p)[i] = whole_->value(p)[Whole(spec.slice, i)];
    }
    SYNCLINE_ASSERT_OK((*network)->Forward(batch_));
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const BatchResult result, (*network)->Result());
    EXPECT_NEAR(result.loss_sum, loss_, 1e-5 * std::fabs(loss_));
    SYNCLINE_ASSERT_OK((*network)->Backward());
    for (size_t p = 0; p < whole_->parameters().size(); ++p) {
      const ParameterSpec& spec = (*network)->parameters()[p];
      for (int64_t i = 0; i < spec.size(); ++i) {
        ASSERT_NEAR((*network)->gradient(p)[i], whole_->gradient(p)[Whole(spec.slice, i)], 2e-6)
            << spec.name << " " << i << " of part " << part << " of " << parts;
      }
    }
    const auto evaluation = (*network)->Evaluate(batch_);
    SYNCLINE_EXPECT_OK(evaluation);
  }

  Model model_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<Network> whole_;
  std::vector<float> features_;
  std::vector<int32_t> labels_;
  Batch batch_;
  double loss_ = 0;
};

TEST_P(TensorSplitTest, MakesTheGradientsOfTheWhole) {
  for (const int parts : {2, 3, 4}) {
    Meeting meeting(parts);
    std::vector<std::thread> threads;
    for (int part = 0; part < parts; ++part) {
      threads.emplace_back([&, part] { Compare(&meeting, part, parts); });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, TensorSplitTest,
    ::testing::Values(
        std::pair("Pair", "input: 6 layers { linear { units: 10 } } layers { gelu {} } layers { linear { units: 4 } }"),
        std::pair("DropoutBetween",
                  "input: 6 layers { linear { units: 10 } } layers { relu {} } layers { dropout { rate: 0.3 } } "
                  "layers { linear { units: 5 } } layers { tanh {} } layers { linear { units: 4 bias: false } }"),
        std::pair("Gathered",
                  "input: 6 layers { linear { units: 10 } } layers { relu {} } layers { tanh {} } "
                  "layers { layer_norm {} } layers { linear { units: 5 } }"),
        std::pair("RowsFirst",
                  "input: 6 layers { linear { units: 10 } } layers { layer_norm {} } "
                  "layers { linear { units: 8 split: SPLIT_ROWS } } layers { gelu {} } "
                  "layers { linear { units: 9 split: SPLIT_NONE } } layers { linear { units: 4 split: SPLIT_ROWS } }"),
        std::pair("Transformer",
                  "input: 3 layers { embedding { vocabulary: 8 units: 8 } } "
                  "layers { residual { layers { layer_norm {} } layers { attention { heads: 4 } } "
                  "  layers { dropout { rate: 0.2 } } } } "
                  "layers { residual { layers { layer_norm {} } layers { linear { units: 12 } } layers { gelu {} } "
                  "  layers { linear { units: 8 } } } } "
                  "layers { residual { layers { attention { heads: 2 } } } } "
                  "layers { layer_norm {} } layers { linear { units: 7 } }")),
    [](const auto& info) { return std::string(info.param.first); });

}  // namespace
}  // namespace syncline
