#include "worker/data/text.h"

#include <string>
#include <vector>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(TextTest, SamplesAreRunsAndTheirLabelsWhatFollows) {
  const std::string text = "abcabda";  // a 0, b 1, c 2, d 3
  const auto data = MakeText(text, "t", Alphabet(text), 3, 4);
  SYNCLINE_ASSERT_OK(data);
  EXPECT_EQ((*data)->size(), 2u);
  EXPECT_EQ((*data)->labels(), 3u);
  std::vector<float> tokens(6);
  std::vector<int32_t> next(6);
  (*data)->CopyFeatures({1, 0}, tokens.data());
  (*data)->CopyClasses({1, 0}, next.data());
  EXPECT_THAT(tokens, ElementsAre(0, 1, 3, 0, 1, 2));
  EXPECT_THAT(next, ElementsAre(1, 3, 0, 1, 2, 0));
}

TEST(TextTest, WhatDoesNotFitIsRefused) {
  const Alphabet alphabet("abc");
  EXPECT_THAT(std::string(MakeText("abcab", "t", alphabet, 2, 2).status().message()),
              HasSubstr("3 different bytes, but the embedding's vocabulary is 2"));
  EXPECT_THAT(std::string(MakeText("abc", "t", alphabet, 3, 3).status().message()), HasSubstr("too few for a sample"));
  EXPECT_THAT(std::string(MakeText("ab\ncab", "t", alphabet, 2, 3).status().message()),
              HasSubstr("byte 2, \"\\n\", is not in data.train"));
}

}  // namespace
}  // namespace syncline
