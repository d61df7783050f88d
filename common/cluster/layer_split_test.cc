#include "common/cluster/layer_split.h"

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;

// Of "8 relu drop 4 norm heads2": linear layers by their units.
Model ModelOf(const std::string& text) {
  Model model;
  for (const absl::string_view word : absl::StrSplit(text, ' ')) {
    Layer* const layer = model.add_layers();
    if (word == "relu") {
      layer->mutable_relu();
    } else if (word == "drop") {
      layer->mutable_dropout();
    } else if (word == "norm") {
      layer->mutable_layer_norm();
    } else if (word == "heads2") {
      layer->mutable_attention()->set_heads(2);
    } else {
      layer->mutable_linear()->set_units(std::stoi(std::string(word)));
    }
  }
  return model;
}

TEST(LayerSplitTest, PartsAreEvenAndWhole) {
  for (const int parts : {1, 2, 3, 4, 7}) {
    int64_t next = 0;
    for (int part = 0; part < parts; ++part) {
      const PartRange range = PartOf(10, part, parts);
      EXPECT_EQ(range.begin, next);
      EXPECT_GE(range.end - range.begin, 10 / parts);
      EXPECT_LE(range.end - range.begin, 10 / parts + 1);
      next = range.end;
    }
    EXPECT_EQ(next, 10);
  }
}

TEST(LayerSplitTest, LinearLayersGoInPairs) {
  EXPECT_THAT(PlanSplits(ModelOf("8 relu 8 8 drop 8 relu 3").layers(), 5, 2),
              ElementsAre(SPLIT_COLUMNS, SPLIT_NONE, SPLIT_ROWS, SPLIT_COLUMNS, SPLIT_NONE, SPLIT_ROWS, SPLIT_NONE,
                          SPLIT_COLUMNS));
  EXPECT_THAT(PlanSplits(ModelOf("8 norm 8").layers(), 5, 2), ElementsAre(SPLIT_COLUMNS, SPLIT_NONE, SPLIT_COLUMNS))
      << "a layer norm needs all columns";
  EXPECT_THAT(PlanSplits(ModelOf("8 relu 8").layers(), 5, 1), ElementsAre(SPLIT_NONE, SPLIT_NONE, SPLIT_NONE));
}

TEST(LayerSplitTest, WhatIsTooNarrowStaysWhole) {
  EXPECT_THAT(PlanSplits(ModelOf("2 relu 8 1").layers(), 5, 3),
              ElementsAre(SPLIT_NONE, SPLIT_NONE, SPLIT_COLUMNS, SPLIT_ROWS));
  EXPECT_THAT(PlanSplits(ModelOf("heads2 8").layers(), 8, 2), ElementsAre(SPLIT_HEADS, SPLIT_COLUMNS));
  EXPECT_THAT(PlanSplits(ModelOf("heads2 8").layers(), 8, 3), ElementsAre(SPLIT_NONE, SPLIT_COLUMNS));
}

TEST(LayerSplitTest, WhatALayerSaysHolds) {
  Model model = ModelOf("8 8 8 8");
  model.mutable_layers(0)->mutable_linear()->set_split(SPLIT_ROWS);
  model.mutable_layers(1)->mutable_linear()->set_split(SPLIT_AUTO);
  model.mutable_layers(2)->mutable_linear()->set_split(SPLIT_NONE);
  EXPECT_THAT(PlanSplits(model.layers(), 8, 2), ElementsAre(SPLIT_ROWS, SPLIT_COLUMNS, SPLIT_NONE, SPLIT_COLUMNS));
  EXPECT_EQ(MostParts(model.layers(0), SPLIT_ROWS, 5), 5);
  EXPECT_EQ(MostParts(model.layers(0), SPLIT_COLUMNS, 5), 8);
}

}  // namespace
}  // namespace syncline
