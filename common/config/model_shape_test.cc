#include "common/config/model_shape.h"

#include "common/config/manifest_defaults.h"
#include "common/status/status_matchers.h"
#include "google/protobuf/text_format.h"

namespace syncline {
namespace {

using ::testing::HasSubstr;

Model ModelOf(const std::string& layers) {
  JobManifest job;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(R"(
    tables { name: "rows" dim: 4 } tables { name: "weights" dim: 1 } data { format: CRITEO }
    model { sparse { table: "rows" } sparse { table: "weights" pooling: POOLING_SUM fields: "3, 5" } )" +
                                                                layers + "}",
                                                            &job));
  FillManifestDefaults(&job);
  return job.model();
}

TEST(ModelShapeTest, PartsLieSideBySide) {
  const auto parts = InputParts(ModelOf(""));
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].name, "dense");
  EXPECT_EQ(parts[0].width, 13);
  EXPECT_EQ(parts[1].name, "rows");
  EXPECT_EQ(parts[1].begin, 13);
  EXPECT_EQ(parts[1].width, 26 * 4);
  EXPECT_EQ(parts[2].begin, 117);
  EXPECT_EQ(parts[2].width, 1);
}

TEST(ModelShapeTest, BranchesTakeParts) {
  const Model model = ModelOf("");
  Branch branch;
  EXPECT_EQ(ShapeBefore(model, branch).width, 118);
  branch.set_of("weights, dense");
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto parts, BranchParts(model, branch));
  EXPECT_EQ(parts[0].name, "weights");
  EXPECT_EQ(ShapeAfter(model, branch).width, 14);
  branch.add_layers()->mutable_linear()->set_units(2);
  EXPECT_EQ(ShapeAfter(model, branch).width, 2);
  branch.set_of("what");
  EXPECT_THAT(BranchParts(model, branch),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"what\" is not one of dense, rows, weights")));
}

TEST(ModelShapeTest, FollowsLayers) {
  EXPECT_EQ(ModelOutputs(ModelOf("")), 118u);
  const Model dlrm = ModelOf(R"(
    layers { parallel { branches { of: "dense" layers { linear { units: 4 } } } branches { of: "rows" } } }
    layers { interaction { dim: 4 } } layers { relu {} })");
  EXPECT_EQ(ShapeBefore(dlrm, 1).width, 4 + 26 * 4);
  EXPECT_EQ(ModelOutputs(dlrm), 4u + 27 * 26 / 2);
  EXPECT_EQ(ModelOutputs(ModelOf("layers { sum { dim: 2 } }")), 2u);
  EXPECT_EQ(ModelOutputs(ModelOf("layers { factorization { dim: 2 } }")), 1u);
}

TEST(ModelShapeTest, PositionsComeFromAnEmbedding) {
  Model model;
  model.set_input(7);
  model.add_layers()->mutable_embedding()->set_units(3);
  EXPECT_EQ(ShapeBefore(model, 1).positions, 7);
  EXPECT_EQ(ModelOutputs(model), 3u);
}

}  // namespace
}  // namespace syncline
