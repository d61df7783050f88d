#include "worker/model/model_builder.h"

#include <string>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "worker/model/model_validation.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Model Parse(const std::string& text) {
  Model model;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &model)) << text;
  return model;
}

std::string ErrorOf(const std::string& text) {
  const absl::Status status = ValidateModel(Parse(text));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(status.message());
}

TEST(ModelBuilderTest, ParametersAreNamedByTheirPlaceInTheManifest) {
  const auto specs = ModelParameters(Parse(R"(
      input: 784
      layers { linear { units: 512 } } layers { relu {} } layers { layer_norm {} }
      layers { dropout { rate: 0.5 } } layers { linear { units: 10 bias: false } })"));
  SYNCLINE_ASSERT_OK(specs);
  std::vector<std::string> names;
  for (const ParameterSpec& spec : *specs) names.push_back(spec.name);
  EXPECT_THAT(names, ElementsAre("0.linear.weight", "0.linear.bias", "2.layer_norm.weight",
                                 "2.layer_norm.bias", "4.linear.weight"));
  EXPECT_THAT((*specs)[0].shape, ElementsAre(512, 784));
  EXPECT_THAT((*specs)[1].shape, ElementsAre(512));
  EXPECT_EQ((*specs)[1].initial.kind, InitializerKind::kUniform);
  EXPECT_DOUBLE_EQ((*specs)[1].initial.b, 1.0 / 28.0);
  EXPECT_DOUBLE_EQ((*specs)[1].initial.a, -1.0 / 28.0);
  EXPECT_EQ((*specs)[2].initial.kind, InitializerKind::kConstant);
  EXPECT_EQ((*specs)[3].initial.kind, InitializerKind::kZeros);
}

TEST(ModelBuilderTest, ActivationsJoinTheLinearLayerBeforeThem) {
  const Model model = Parse(R"(input: 4 layers { linear { units: 3 } } layers { relu {} }
      layers { tanh {} } layers { linear { units: 2 } })");
  const auto layers = BuildLayers(model, AllLayers(model), 1);
  SYNCLINE_ASSERT_OK(layers);
  EXPECT_EQ(layers->size(), 3u);
}

TEST(ModelBuilderTest, APartOfTheLayersKeepsTheirNamesAndWidths) {
  const Model model = Parse(R"(input: 4 layers { linear { units: 3 } } layers { relu {} }
      layers { tanh {} } layers { linear { units: 2 } })");
  const auto specs = ModelParameters(model, {1, 4});
  SYNCLINE_ASSERT_OK(specs);
  ASSERT_EQ(specs->size(), 2u);
  EXPECT_EQ((*specs)[0].name, "3.linear.weight");
  EXPECT_THAT((*specs)[0].shape, ElementsAre(2, 3));
  EXPECT_EQ(BuildLayers(model, {2, 5}, 1).status().message(),
            "the range of layers is 2 up to, but not, 5; accepted: some of the 4 there are");
}

TEST(ModelBuilderTest, ErrorsNameTheFieldAndTheRange) {
  EXPECT_EQ(ErrorOf("input: 4 layers { relu {} } layers { linear { units: 0 } }"),
            "model.layers[1].linear.units is 0; accepted: 1 to 65536");
  EXPECT_EQ(ErrorOf("input: 4 layers { linear { units: 65537 } }"),
            "model.layers[0].linear.units is 65537; accepted: 1 to 65536");
  EXPECT_THAT(ErrorOf("layers { linear { units: 2 } }"), HasSubstr("model.input is 0"));
  EXPECT_THAT(ErrorOf("input: 4"), HasSubstr("number of model.layers is 0"));
  EXPECT_THAT(ErrorOf("input: 4 layers {}"), HasSubstr("model.layers[0] is empty"));
  EXPECT_THAT(ErrorOf("input: 4 layers { relu {} }"), HasSubstr("nothing to learn"));
  EXPECT_THAT(ErrorOf("input: 4 layers { linear { units: 2 } } layers { dropout { rate: 1 } }"),
              HasSubstr("model.layers[1].dropout.rate is 1"));
  EXPECT_THAT(ErrorOf("input: 4 layers { layer_norm { epsilon: 0 } }"),
              HasSubstr("model.layers[0].layer_norm.epsilon is 0"));
  EXPECT_THAT(ErrorOf("input: 4 layers { linear { units: 1 } }"),
              HasSubstr("softmax_cross_entropy, is 1; accepted: at least 2"));
  EXPECT_THAT(ErrorOf("input: 4 layers { linear { units: 3 } } loss: LOGISTIC"),
              HasSubstr("logistic, is 3; accepted: 1"));
}

TEST(ModelBuilderTest, TransformersAreCheckedWithinToo) {
  const std::string embedding = "input: 8 layers { embedding { vocabulary: 9 units: 6 } } ";
  EXPECT_EQ(ErrorOf(embedding + "layers { residual { layers { attention { heads: 4 } } } }"),
            "model.layers[1].residual.layers[0].attention.heads is 4; accepted: what divides the width, 6");
  EXPECT_EQ(ErrorOf(embedding + "layers { residual { layers { linear { units: 5 } } } }"),
            "model.layers[1].residual's last width is 5; accepted: 6, that of what is added");
  EXPECT_EQ(ErrorOf("input: 8 layers { attention { heads: 1 } }"),
            "model.layers[0].attention needs an embedding as the model's first layer");
  EXPECT_EQ(ErrorOf(embedding + "layers { embedding { vocabulary: 9 units: 6 } }"),
            "model.layers[1].embedding: an embedding is a model's first layer");
  EXPECT_EQ(ErrorOf(embedding + "layers { residual {} }"),
            "the number of model.layers[1].residual.layers is 0; accepted: 1 to 1000");
  EXPECT_EQ(ErrorOf(embedding + "loss: MEAN_SQUARED_ERROR"),
            "model.loss, with an embedding, is MEAN_SQUARED_ERROR; accepted: softmax_cross_entropy");
}

TEST(ModelBuilderTest, ParametersOfBranchesAreNamedByTheirPlace) {
  const auto specs = ModelParameters(Parse(R"(
      input: 3 sparse { name: "rows" dim: 2 fields: "0-3" }
      layers { parallel { branches { of: "rows" layers { sum { dim: 2 } } }
                          branches { layers { relu {} } layers { linear { units: 2 } } } } }
      layers { sum {} } loss: LOGISTIC)"));
  SYNCLINE_ASSERT_OK(specs);
  std::vector<std::string> names;
  for (const ParameterSpec& spec : *specs) names.push_back(spec.name);
  EXPECT_THAT(names, ElementsAre("0.parallel.0.0.sum.bias", "0.parallel.1.1.linear.weight",
                                 "0.parallel.1.1.linear.bias", "1.sum.bias"));
  EXPECT_THAT((*specs)[1].shape, ElementsAre(2, 11));
}

TEST(ModelBuilderTest, VectorsMustFit) {
  EXPECT_EQ(ErrorOf("input: 5 layers { sum { dim: 2 } }"),
            "model.layers[0].sum.dim is 2; accepted: what divides the width, 5");
  EXPECT_EQ(ErrorOf("input: 4 layers { linear { units: 4 } } layers { interaction {} }"),
            "model.layers[1].interaction.dim is 0; accepted: what divides the width, 4");
  EXPECT_THAT(ErrorOf("input: 4 layers { relu {} } layers { parallel { branches {} } }"),
              HasSubstr("model.layers[1].parallel is not the model's first layer"));
  EXPECT_THAT(ErrorOf("input: 4 layers { parallel {} }"), HasSubstr("accepted: at least 1"));
  EXPECT_THAT(ErrorOf("input: 4 layers { parallel { branches { of: \"rows\" } } }"),
              HasSubstr("branches[0].of: \"rows\" is not one of dense"));
  EXPECT_THAT(ErrorOf("layers { linear { units: 1 } }"), HasSubstr("model.input is 0"));
}

}  // namespace
}  // namespace syncline
