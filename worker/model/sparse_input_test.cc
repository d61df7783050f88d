#include "worker/model/sparse_input.h"

#include <cmath>
#include <random>
#include <string>

#include "common/config/manifest_defaults.h"
#include "common/hash/feature_key.h"
#include "common/status/status_matchers.h"
#include "google/protobuf/text_format.h"
#include "worker/backend/cpu/cpu_backend.h"
#include "worker/model/network.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SparseInputTest : public ::testing::Test {
 protected:
  // Two features and three fields: "1" of the columns is the first.
  void Build(const std::string& text, int max_rows) {
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &job_));
    job_.mutable_data()->set_format(CSV);
    job_.mutable_data()->set_columns("label, float, float, category, category, category");
    FillManifestDefaults(&job_);
    SYNCLINE_ASSERT_OK_AND_ASSIGN(device_, Device::Open(CpuBackend()));
    SYNCLINE_ASSERT_OK_AND_ASSIGN(input_, SparseInput::Create(job_, device_.get(), max_rows));
  }

  std::vector<float> Gradient(size_t table, size_t dim) const {
    const float* gradient = input_->gradient(table);
    return {gradient, gradient + input_->keys(table).size() * dim};
  }

  JobManifest job_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<SparseInput> input_;
};

TEST_F(SparseInputTest, LooksRowsUpAndSumsTheirGradients) {
  Build(R"(tables { name: "w" dim: 1 } tables { name: "v" dim: 2 }
           model { sparse { table: "w" pooling: POOLING_SUM } sparse { table: "v" fields: "2, 0" } })",
        4);
  EXPECT_EQ(input_->width(), 2u + 1 + 4);
  EXPECT_EQ(input_->fields(), 3u);
  const std::vector<uint64_t> keys = {10, 20, 30, 10, 21, 10};
  input_->Begin(2, keys.data());
  ASSERT_THAT(input_->keys(0), ElementsAre(10, 20, 30, 21));
  ASSERT_THAT(input_->keys(1), ElementsAre(30, 10));
  for (int i = 0; i < 4; ++i) input_->rows(0)[i] = static_cast<float>(i + 1);
  for (int i = 0; i < 4; ++i) input_->rows(1)[i] = static_cast<float>(10 * (i + 1));
  const float dense[] = {0.5f, 0.25f, -1, -2};
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const float* features, input_->Forward(dense));
  EXPECT_THAT(std::vector<float>(features, features + 14),
              ElementsAre(0.5, 0.25, 1 + 2 + 3, 10, 20, 30, 40,  //
                          -1, -2, 1 + 4 + 1, 30, 40, 30, 40));
  for (int i = 0; i < 14; ++i) input_->feature_gradient()[i] = static_cast<float>(i);
  SYNCLINE_ASSERT_OK(input_->Backward());
  EXPECT_THAT(Gradient(0, 1), ElementsAre(2 + 9 + 9, 2, 2, 9));
  EXPECT_THAT(Gradient(1, 2), ElementsAre(3, 4, 5 + 10 + 12, 6 + 11 + 13));
}

TEST_F(SparseInputTest, NoKeyIsARowOfZeros) {
  Build(R"(tables { name: "v" dim: 2 } model { sparse { table: "v" pooling: POOLING_MEAN } })", 1);
  const std::vector<uint64_t> keys = {kNoKey, 7, kNoKey};
  input_->Begin(1, keys.data());
  ASSERT_THAT(input_->keys(0), ElementsAre(7));
  input_->rows(0)[0] = 3;
  input_->rows(0)[1] = 6;
  const float dense[] = {0, 0};
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const float* features, input_->Forward(dense));
  EXPECT_THAT(std::vector<float>(features + 2, features + 4), ElementsAre(1, 2));
  std::fill_n(input_->feature_gradient(), 4, 3.0f);
  SYNCLINE_ASSERT_OK(input_->Backward());
  EXPECT_THAT(Gradient(0, 2), ElementsAre(1, 1));
}

TEST_F(SparseInputTest, ATableMayBeUsedTwice) {
  Build(R"(tables { name: "v" dim: 1 }
           model { sparse { table: "v" fields: "0" } sparse { table: "v" fields: "1-2" name: "others" } })",
        1);
  const std::vector<uint64_t> keys = {5, 5, 6};
  input_->Begin(1, keys.data());
  ASSERT_THAT(input_->keys(0), ElementsAre(5, 6));
  const float dense[] = {0, 0};
  SYNCLINE_ASSERT_OK(input_->Forward(dense));
  for (int i = 0; i < 5; ++i) input_->feature_gradient()[i] = static_cast<float>(i);
  SYNCLINE_ASSERT_OK(input_->Backward());
  EXPECT_THAT(Gradient(0, 1), ElementsAre(2 + 3, 4));
}

TEST_F(SparseInputTest, NamesWhatIsMissing) {
  JobManifest job;
  job.mutable_model()->add_sparse()->set_table("what");
  SYNCLINE_ASSERT_OK_AND_ASSIGN(device_, Device::Open(CpuBackend()));
  EXPECT_THAT(SparseInput::Create(job, device_.get(), 1),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("there is no table what")));
}

// Models as people write them, from rows to loss: the gradient of each number of each row against differences.
class ModelTest : public SparseInputTest,
                  public ::testing::WithParamInterface<std::pair<const char*, const char*>> {
 protected:
  static constexpr int kRows = 5;

  double MeanLoss() {
    const auto features = input_->Forward(dense_.data());
    EXPECT_TRUE(features.ok());
    batch_.features = *features;
    EXPECT_TRUE(network_->Forward(batch_).ok());
    return network_->Result()->loss_sum / kRows;
  }

  std::mt19937 random_{5};
  std::unique_ptr<Network> network_;
  std::vector<float> dense_, targets_;
  Batch batch_;
};

TEST_P(ModelTest, GradientsOfRowsAgreeWithCentralDifferences) {
  Build(GetParam().second, kRows);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(network_, Network::Create(job_.model(), device_.get(), kRows, 7));
  ASSERT_EQ(network_->inputs(), input_->width());
  std::uniform_real_distribution<float> uniform(-0.8f, 0.8f);
  for (size_t p = 0; p < network_->parameters().size(); ++p) {
    for (int i = 0; i < network_->parameters()[p].size(); ++i) network_->value(p)[i] = uniform(random_);
  }
  for (size_t i = 0; i < kRows * job_.model().input(); ++i) dense_.push_back(uniform(random_));
  std::vector<uint64_t> keys;
  for (int i = 0; i < kRows * 3; ++i) keys.push_back(100 * (i % 3) + random_() % 3 + 1);
  for (int r = 0; r < kRows; ++r) targets_.push_back(static_cast<float>(r % 2));
  batch_ = {kRows, nullptr, nullptr, targets_.data(), 0, 0};
  input_->Begin(kRows, keys.data());
  for (size_t t = 0; t < input_->tables(); ++t) {
    const size_t n = input_->keys(t).size() * job_.tables(static_cast<int>(t)).dim();
    for (size_t i = 0; i < n; ++i) input_->rows(t)[i] = uniform(random_);
  }
  MeanLoss();
  Network::BackwardOptions options;
  options.input_gradient = input_->feature_gradient();
  SYNCLINE_ASSERT_OK(network_->Backward(nullptr, options));
  SYNCLINE_ASSERT_OK(input_->Backward());
  constexpr float kStep = 4e-3f;
  for (size_t t = 0; t < input_->tables(); ++t) {
    double size = 0;
    for (size_t i = 0; i < input_->keys(t).size() * job_.tables(static_cast<int>(t)).dim(); ++i) {
      float* const value = input_->rows(t) + i;
      const float kept = *value;
      *value = kept + kStep;
      const double above = MeanLoss();
      *value = kept - kStep;
      const double below = MeanLoss();
      *value = kept;
      const double expected = (above - below) / (2.0 * kStep);
      EXPECT_NEAR(input_->gradient(t)[i], expected, 3e-4 + 3e-3 * std::fabs(expected)) << "table " << t << " " << i;
      size += std::fabs(expected);
    }
    EXPECT_GT(size, 1e-3) << "a gradient of zero checks nothing";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, ModelTest,
    ::testing::Values(
        std::pair("LogisticRegression", R"(
            tables { name: "weights" dim: 1 }
            model { loss: LOGISTIC sparse { table: "weights" }
              layers { parallel { branches { of: "dense" layers { linear { units: 1 bias: false } } }
                                  branches { of: "weights" } } }
              layers { sum {} } })"),
        std::pair("FactorizationMachine", R"(
            tables { name: "weights" dim: 1 } tables { name: "factors" dim: 3 }
            model { loss: LOGISTIC sparse { table: "weights" } sparse { table: "factors" }
              layers { parallel { branches { of: "dense" layers { linear { units: 1 bias: false } } }
                                  branches { of: "weights" }
                                  branches { of: "factors" layers { factorization { dim: 3 } } } } }
              layers { sum {} } })"),
        std::pair("WideAndDeep", R"(
            tables { name: "wide" dim: 1 } tables { name: "deep" dim: 2 }
            model { loss: LOGISTIC sparse { table: "wide" pooling: POOLING_SUM } sparse { table: "deep" }
              layers { parallel { branches { of: "wide" }
                                  branches { of: "dense, deep" layers { linear { units: 6 } } layers { tanh {} }
                                             layers { linear { units: 1 } } } } }
              layers { sum {} } })"),
        std::pair("Dlrm", R"(
            tables { name: "rows" dim: 4 }
            model { loss: LOGISTIC sparse { table: "rows" }
              layers { parallel { branches { of: "dense" layers { linear { units: 4 } } layers { tanh {} } }
                                  branches { of: "rows" } } }
              layers { interaction { dim: 4 } } layers { linear { units: 5 } } layers { tanh {} }
              layers { linear { units: 1 } } })"),
        std::pair("TwoTowerFactorization", R"(
            tables { name: "biases" dim: 1 } tables { name: "users" dim: 4 } tables { name: "items" dim: 4 }
            model { loss: MEAN_SQUARED_ERROR
              sparse { table: "biases" fields: "0-1" } sparse { table: "users" fields: "0" }
              sparse { table: "items" fields: "1" }
              layers { parallel { branches { of: "biases" }
                                  branches { of: "users, items" layers { factorization { dim: 4 } } } } }
              layers { sum {} } })")),
    [](const auto& info) { return std::string(info.param.first); });

}  // namespace
}  // namespace syncline
