#include "worker/model/network.h"

#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "worker/backend/cpu/cpu_backend.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr char kTwoLayers[] =
    "input: 3 layers { linear { units: 4 } } layers { relu {} } layers { linear { units: 2 } }";

// A network on the CPU with random weights, and one random batch.
class NetworkTest : public ::testing::Test {
 protected:
  static constexpr int kRows = 6;

  void Build(const std::string& text) {
    Model model;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &model)) << text;
    SYNCLINE_ASSERT_OK_AND_ASSIGN(device_, Device::Open(CpuBackend()));
    SYNCLINE_ASSERT_OK_AND_ASSIGN(network_, Network::Create(model, device_.get(), kRows, 7));
    for (size_t p = 0; p < network_->parameters().size(); ++p) {
      for (int i = 0; i < network_->parameters()[p].size(); ++i) {
        network_->value(p)[i] = Uniform(-0.8f, 0.8f);
      }
    }
    for (size_t i = 0; i < kRows * network_->inputs(); ++i) {
      features_.push_back(Uniform(-1.0f, 1.0f));
    }
    for (size_t i = 0; i < kRows * network_->outputs(); ++i) {
      const float value = Uniform(0.0f, 1.0f);
      targets_.push_back(model.loss() == LOGISTIC ? std::round(value) : value);
    }
    for (int r = 0; r < kRows; ++r) labels_.push_back(r % network_->outputs());
    batch_ = {kRows, features_.data(), labels_.data(), targets_.data(), 3, 12};
  }

  float Uniform(float low, float high) {
    return std::uniform_real_distribution<float>(low, high)(random_);
  }

  double MeanLoss() {
    EXPECT_TRUE(network_->Forward(batch_).ok());
    const auto result = network_->Result();
    EXPECT_TRUE(result.ok());
    return result->loss_sum / kRows;
  }

  // Every element of every gradient against (f(w + h) - f(w - h)) / 2h. The loss is a float, so
  // the quotient is good to about 1e-7 / h; h = 4e-3 balances that and the curvature.
  void CheckGradients() {
    SYNCLINE_ASSERT_OK(network_->Forward(batch_));
    SYNCLINE_ASSERT_OK(network_->Backward());
    constexpr float kStep = 4e-3f;
    for (size_t p = 0; p < network_->parameters().size(); ++p) {
      const ParameterSpec& spec = network_->parameters()[p];
      double size = 0.0;
      for (int i = 0; i < spec.size(); ++i) {
        const float kept = network_->value(p)[i];
        network_->value(p)[i] = kept + kStep;
        const double above = MeanLoss();
        network_->value(p)[i] = kept - kStep;
        const double below = MeanLoss();
        network_->value(p)[i] = kept;
        const double expected = (above - below) / (2.0 * kStep);
        EXPECT_NEAR(network_->gradient(p)[i], expected, 3e-4 + 3e-3 * std::fabs(expected))
            << spec.name << "[" << i << "]";
        size += std::fabs(expected);
      }
      EXPECT_GT(size, 1e-3) << spec.name << ": a gradient of zero checks nothing";
    }
  }

  // The same for the batch's features.
  void CheckInputGradient() {
    std::vector<float> slope(features_.size(), NAN);
    Network::BackwardOptions options;
    options.input_gradient = slope.data();
    SYNCLINE_ASSERT_OK(network_->Forward(batch_));
    SYNCLINE_ASSERT_OK(network_->Backward(nullptr, options));
    constexpr float kStep = 4e-3f;
    double size = 0.0;
    for (size_t i = 0; i < features_.size(); ++i) {
      const float kept = std::exchange(features_[i], features_[i] + kStep);
      const double above = MeanLoss();
      features_[i] = kept - kStep;
      const double below = MeanLoss();
      features_[i] = kept;
      const double expected = (above - below) / (2.0 * kStep);
      EXPECT_NEAR(slope[i], expected, 3e-4 + 3e-3 * std::fabs(expected)) << i;
      size += std::fabs(expected);
    }
    EXPECT_GT(size, 1e-3) << "a gradient of zero checks nothing";
  }

  std::mt19937 random_{42};
  std::unique_ptr<Device> device_;
  std::unique_ptr<Network> network_;
  std::vector<float> features_;
  std::vector<float> targets_;
  std::vector<int32_t> labels_;
  Batch batch_;
};

class GradientTest : public NetworkTest,
                     public ::testing::WithParamInterface<std::pair<const char*, const char*>> {};

TEST_P(GradientTest, AgreesWithCentralDifferences) {
  Build(GetParam().second);
  CheckGradients();
}

INSTANTIATE_TEST_SUITE_P(
    Layers, GradientTest,
    ::testing::Values(
        std::pair("Softmax", "input: 5 layers { linear { units: 3 } }"),
        std::pair("MeanSquared",
                  "input: 5 layers { linear { units: 3 } } loss: MEAN_SQUARED_ERROR"),
        std::pair("Logistic", "input: 5 layers { linear { units: 1 } } loss: LOGISTIC"),
        std::pair("NoBias", "input: 4 layers { linear { units: 3 bias: false } }"),
        std::pair("Relu", "input: 4 layers { linear { units: 6 } } layers { relu {} } "
                          "layers { linear { units: 3 } }"),
        std::pair("Gelu", "input: 4 layers { linear { units: 6 } } layers { gelu {} } "
                          "layers { linear { units: 3 } }"),
        std::pair("Tanh", "input: 4 layers { linear { units: 6 } } layers { tanh {} } "
                          "layers { linear { units: 3 } }"),
        std::pair("Sigmoid", "input: 4 layers { linear { units: 6 } } layers { sigmoid {} } "
                             "layers { linear { units: 3 } }"),
        std::pair("ActivationAlone", "input: 4 layers { linear { units: 6 } } layers { tanh {} } "
                                     "layers { gelu {} } layers { linear { units: 3 } }"),
        std::pair("LayerNorm", "input: 4 layers { linear { units: 5 } } "
                               "layers { layer_norm { epsilon: 0.1 } } "
                               "layers { linear { units: 3 } }"),
        std::pair("Dropout", "input: 4 layers { dropout { rate: 0.2 } } "
                             "layers { linear { units: 9 } } layers { dropout { rate: 0.4 } } "
                             "layers { linear { units: 3 } }")),
    [](const auto& info) { return std::string(info.param.first); });

// Layers that take vectors side by side, and branches: parameters and what goes on to rows of tables.
class VectorsTest : public GradientTest {};

TEST_P(VectorsTest, AgreesWithCentralDifferences) {
  Build(GetParam().second);
  CheckGradients();
  CheckInputGradient();
}

INSTANTIATE_TEST_SUITE_P(
    Layers, VectorsTest,
    ::testing::Values(
        std::pair("Sum", "input: 4 layers { linear { units: 6 } } layers { sum { dim: 2 } }"),
        std::pair("SumWithoutBias",
                  "input: 4 layers { linear { units: 6 } } layers { sum { dim: 3 bias: false } }"),
        std::pair("Factorization", "input: 4 layers { linear { units: 9 } } layers { factorization { dim: 3 } } "
                                   "loss: LOGISTIC"),
        std::pair("Interaction", "input: 4 layers { linear { units: 9 } } layers { interaction { dim: 3 } } "
                                 "layers { linear { units: 2 } }"),
        std::pair("Branches", R"(input: 3 sparse { name: "rows" dim: 2 fields: "0-2" } sparse { name: "pooled" dim: 4
            fields: "0-5" pooling: POOLING_SUM }
            layers { parallel {
              branches { of: "dense, rows" layers { linear { units: 3 } } layers { tanh {} } layers { linear { units: 2 } } }
              branches { of: "rows" }
              branches { of: "rows" layers { factorization { dim: 2 } } }
            } } layers { linear { units: 3 } })"),
        std::pair("AllToOneBranch", R"(input: 3 sparse { name: "rows" dim: 3 fields: "0, 4" }
            layers { parallel { branches { layers { interaction { dim: 3 } } layers { linear { units: 2 } } } } })")),
    [](const auto& info) { return std::string(info.param.first); });

TEST_F(NetworkTest, WhatNoBranchTakesHasNoGradient) {
  Build(R"(input: 2 sparse { name: "rows" dim: 2 fields: "0" }
           layers { parallel { branches { of: "dense" layers { linear { units: 2 } } } } })");
  std::vector<float> slope(features_.size(), NAN);
  Network::BackwardOptions options;
  options.input_gradient = slope.data();
  SYNCLINE_ASSERT_OK(network_->Forward(batch_));
  SYNCLINE_ASSERT_OK(network_->Backward(nullptr, options));
  for (size_t i = 0; i < slope.size(); ++i) EXPECT_EQ(slope[i] == 0, i % 4 >= 2) << i;
}

TEST_F(NetworkTest, GradientsLeaveLastLayerFirstAndValuesArriveFirstLayerFirst) {
  Build(kTwoLayers);
  std::vector<std::pair<size_t, size_t>> awaited;
  SYNCLINE_ASSERT_OK(network_->Forward(batch_, [&](size_t first, size_t count) {
    awaited.emplace_back(first, count);
    return absl::OkStatus();
  }));
  EXPECT_THAT(awaited, ElementsAre(Pair(0, 2), Pair(2, 2)));
  std::vector<size_t> made;
  SYNCLINE_ASSERT_OK(network_->Backward([&](size_t parameter) {
    made.push_back(parameter);
    return absl::OkStatus();
  }));
  EXPECT_THAT(made, ElementsAre(3, 2, 1, 0));
}

TEST_F(NetworkTest, AnErrorWhileWaitingEndsThePass) {
  Build(kTwoLayers);
  const absl::Status lost = absl::UnavailableError("shard 1 is gone");
  EXPECT_EQ(network_->Forward(batch_, [&](size_t, size_t) { return lost; }), lost);
  EXPECT_THAT(network_->Backward(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(NetworkTest, BatchesAreChecked) {
  Build(kTwoLayers);
  batch_.rows = kRows + 1;
  EXPECT_THAT(std::string(network_->Forward(batch_).message()), HasSubstr("accepted: 1 to 6"));
  batch_.rows = kRows;
  batch_.labels = nullptr;
  EXPECT_THAT(std::string(network_->Forward(batch_).message()), HasSubstr("needs labels"));
}

TEST_F(NetworkTest, DropoutDependsOnTheSampleNotOnTheBatch) {
  Build("input: 4 layers { dropout { rate: 0.5 } } layers { linear { units: 2 } }");
  const double whole = MeanLoss() * kRows;
  Batch second = batch_;
  batch_.rows = 2;
  SYNCLINE_ASSERT_OK(network_->Forward(batch_));
  const double first_part = network_->Result()->loss_sum;
  second.rows = kRows - 2;
  second.features += 2 * 4;
  second.labels += 2;
  second.first_row += 2;
  SYNCLINE_ASSERT_OK(network_->Forward(second));
  EXPECT_NEAR(first_part + network_->Result()->loss_sum, whole, 1e-5);
}

TEST_F(NetworkTest, LearnsExclusiveOr) {
  Build("input: 2 layers { linear { units: 8 } } layers { tanh {} } "
        "layers { linear { units: 2 } }");
  features_ = {0, 0, 0, 1, 1, 0, 1, 1};
  labels_ = {0, 1, 1, 0};
  batch_ = {4, features_.data(), labels_.data(), nullptr, 0, 0};
  for (int step = 0; step < 500; ++step) {
    SYNCLINE_ASSERT_OK(network_->Forward(batch_));
    SYNCLINE_ASSERT_OK(network_->Backward());
    for (size_t p = 0; p < network_->parameters().size(); ++p) {
      for (int i = 0; i < network_->parameters()[p].size(); ++i) {
        network_->value(p)[i] -= 0.5f * network_->gradient(p)[i];
      }
    }
  }
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto evaluation, network_->Evaluate(batch_));
  EXPECT_EQ(evaluation.correct, 4);
  EXPECT_LT(evaluation.loss_sum / 4, 0.05);
}

// Tokens in, a class for each position out.
class TransformerTest : public NetworkTest {
 protected:
  static constexpr int kPositions = 4;
  static constexpr char kModel[] = R"(input: 4 layers { embedding { vocabulary: 5 units: 6 } }
      layers { residual { layers { layer_norm {} } layers { attention { heads: 2 } } layers { dropout { rate: 0.2 } } } }
      layers { residual { layers { layer_norm {} } layers { linear { units: 7 } } layers { gelu {} }
                          layers { linear { units: 6 } } } }
      layers { layer_norm {} } layers { linear { units: 5 } })";

  void BuildTransformer() {
    Build(kModel);
    features_.clear();
    labels_.clear();
    for (int i = 0; i < kRows * kPositions; ++i) {
      features_.push_back(static_cast<float>((i * 7 + i / 3) % 5));
      labels_.push_back((i * 3 + 1) % 5);
    }
    batch_.features = features_.data();
    batch_.labels = labels_.data();
  }
};

TEST_F(TransformerTest, GradientsAreThoseOfTheLoss) {
  BuildTransformer();
  EXPECT_EQ(network_->labels(), 4u);
  EXPECT_EQ(network_->parameters()[4].name, "1.residual.1.attention.qkv.weight");
  CheckGradients();
}

TEST_F(TransformerTest, APositionSeesNoneAfterIt) {
  BuildTransformer();
  batch_.rows = 1;
  SYNCLINE_ASSERT_OK(network_->Infer(batch_));
  const std::vector<float> before(network_->output(0), network_->output(0) + 3 * 5);
  features_[3] = features_[3] == 0 ? 1 : 0;
  SYNCLINE_ASSERT_OK(network_->Infer(batch_));
  EXPECT_EQ(std::vector<float>(network_->output(0), network_->output(0) + 3 * 5), before);
  features_[0] = features_[0] == 0 ? 1 : 0;
  SYNCLINE_ASSERT_OK(network_->Infer(batch_));
  EXPECT_NE(std::vector<float>(network_->output(0) + 2 * 5, network_->output(0) + 3 * 5),
            std::vector<float>(before.begin() + 10, before.end()));
}

// A network in two parts, and cut into smaller batches: as a pipeline runs it.
class PartsTest : public NetworkTest {
 protected:
  static constexpr int kCut = 3;  // between the layers below
  static constexpr int kMicro = 2;  // rows at a time
  static constexpr char kModel[] = R"(input: 3 layers { linear { units: 5 } } layers { gelu {} }
      layers { layer_norm {} } layers { dropout { rate: 0.3 } } layers { linear { units: 4 } }
      layers { relu {} } layers { layer_norm {} } layers { linear { units: 2 } })";

  std::unique_ptr<Network> Part(int begin, int end, int slots, bool recompute) {
    Model model;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kModel, &model));
    auto part = Network::Create(model, device_.get(), kMicro, 7, nullptr,
                                {{begin, end}, slots, recompute});
    EXPECT_TRUE(part.ok()) << part.status();
    for (size_t p = 0; p < (*part)->parameters().size(); ++p) {
      for (size_t whole = 0; whole < network_->parameters().size(); ++whole) {
        if (network_->parameters()[whole].name != (*part)->parameters()[p].name) continue;
        std::copy_n(network_->value(whole), network_->parameters()[whole].size(), (*part)->value(p));
      }
    }
    return *std::move(part);
  }

  Batch Micro(int number, const float* features) {
    Batch micro = batch_;
    const int row = number * kMicro;
    micro.rows = kMicro;
    micro.features = features == nullptr ? batch_.features + row * 3 : features;
    micro.labels = batch_.labels + row;
    micro.first_row = batch_.first_row + row;
    micro.mean_rows = kRows;
    return micro;
  }

  // All gradients, in the order of the model.
  static std::vector<float> Gradients(const std::vector<Network*>& parts) {
    std::vector<float> all;
    for (Network* part : parts) {
      for (size_t p = 0; p < part->parameters().size(); ++p) {
        const float* gradient = part->gradient(p);
        all.insert(all.end(), gradient, gradient + part->parameters()[p].size());
      }
    }
    return all;
  }
};

TEST_F(PartsTest, TwoPartsMakeTheGradientOfOneToTheBit) {
  Build(kModel);
  const int micros = kRows / kMicro;
  // One network, one small batch after the other.
  const auto whole = Part(0, 8, 1, false);
  double loss = 0;
  for (int m = 0; m < micros; ++m) {
    SYNCLINE_ASSERT_OK(whole->Forward(Micro(m, nullptr)));
    int ready = 0;
    Network::BackwardOptions options;
    options.add = m > 0;
    options.more = m + 1 < micros;
    SYNCLINE_ASSERT_OK(whole->Backward([&](size_t) { return ++ready, absl::OkStatus(); }, options));
    EXPECT_EQ(ready, options.more ? 0 : 10);
    loss += whole->Result()->loss_sum;
  }
  const std::vector<float> expected = Gradients({whole.get()});

  for (const bool recompute : {false, true}) {
    // All forward, then all backward.
    const auto first = Part(0, kCut, micros, recompute), second = Part(kCut, 8, micros, recompute);
    EXPECT_FALSE(first->has_loss());
    std::vector<std::vector<float>> activations(micros);
    for (int m = 0; m < micros; ++m) {
      SYNCLINE_ASSERT_OK(first->Forward(Micro(m, nullptr), nullptr, m));
      activations[m].assign(first->output(m), first->output(m) + kMicro * first->outputs());
      SYNCLINE_ASSERT_OK(second->Forward(Micro(m, activations[m].data()), nullptr, m));
    }
    double loss_of_parts = 0;
    for (int m = 0; m < micros; ++m) {
      std::vector<float> slope(kMicro * first->outputs());
      Network::BackwardOptions options;
      options.slot = m;
      options.add = m > 0;
      options.input_gradient = slope.data();
      SYNCLINE_ASSERT_OK(second->Backward(nullptr, options));
      loss_of_parts += second->Result(m)->loss_sum;
      options.input_gradient = nullptr;
      options.output_gradient = slope.data();
      SYNCLINE_ASSERT_OK(first->Backward(nullptr, options));
    }
    EXPECT_EQ(Gradients({first.get(), second.get()}), expected) << "recompute " << recompute;
    EXPECT_EQ(loss_of_parts, loss);
  }
}

TEST_F(PartsTest, SmallBatchesAddUpToTheLargeOne) {
  Build(kModel);
  const auto whole = Part(0, 8, 1, false);
  for (int m = 0; m < kRows / kMicro; ++m) {
    SYNCLINE_ASSERT_OK(whole->Forward(Micro(m, nullptr)));
    Network::BackwardOptions options;
    options.add = m > 0;
    SYNCLINE_ASSERT_OK(whole->Backward(nullptr, options));
  }
  SYNCLINE_ASSERT_OK(network_->Forward(batch_));
  SYNCLINE_ASSERT_OK(network_->Backward());
  EXPECT_THAT(Gradients({whole.get()}),
              ::testing::Pointwise(::testing::FloatNear(1e-5), Gradients({network_.get()})));
}

TEST_F(PartsTest, AnEndWithoutLossDoesNotEvaluate) {
  Build(kModel);
  const auto first = Part(0, kCut, 1, false);
  EXPECT_THAT(first->Evaluate(Micro(0, nullptr)).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  SYNCLINE_ASSERT_OK(first->Infer(Micro(0, nullptr)));
}

TEST_F(PartsTest, MemoryIsCountedAndLimited) {
  Build(kModel);
  const size_t before = device_->allocated();
  auto small = Part(0, kCut, 1, false);
  const size_t one = device_->allocated() - before;
  EXPECT_GT(one, 0u);
  small.reset();
  EXPECT_EQ(device_->allocated(), before);
  device_->LimitMemory(before + one - 1);
  Model model;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(kModel, &model));
  EXPECT_THAT(Network::Create(model, device_.get(), kMicro, 7, nullptr, {{0, kCut}, 1, false}).status(),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(device_->allocated(), before);
  device_->LimitMemory(before + one);
  SYNCLINE_EXPECT_OK(
      Network::Create(model, device_.get(), kMicro, 7, nullptr, {{0, kCut}, 1, false}));
}

}  // namespace
}  // namespace syncline
