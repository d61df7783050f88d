#include "worker/data/dataset.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "worker/data/test_files.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;

using Floats = std::vector<float>;

TEST(DenseDatasetTest, Gathers) {
  const DenseDataset data(Floats{1, 2, 3, 4, 5, 6}, 2, Floats{0, 1, 2});
  EXPECT_EQ(data.size(), 3u);
  EXPECT_THAT(FeaturesOf(data, {2, 0, 2}), ElementsAre(5, 6, 1, 2, 5, 6));
  EXPECT_THAT(ClassesOf(data, {2, 0}), ElementsAre(2, 0));
  EXPECT_THAT(TargetsOf(data, {1}), ElementsAre(1.0f));
}

TEST(KeyedDatasetTest, GathersKeys) {
  const auto data = std::make_shared<KeyedDataset>(Floats{1, 2, 3}, 1, std::vector<uint64_t>{1, 2, 3, 4, 5, 6}, 2,
                                                   Floats{7, 8, 9});
  EXPECT_EQ(data->fields(), 2u);
  EXPECT_THAT(FeaturesOf(*data, {2, 0}), ElementsAre(3, 1));
  EXPECT_THAT(KeysOf(*data, {2, 0}), ElementsAre(5, 6, 1, 2));
  const DatasetSubset part(data, {1, 2});
  EXPECT_EQ(part.fields(), 2u);
  EXPECT_THAT(KeysOf(part, {1, 0}), ElementsAre(5, 6, 3, 4));
}

TEST(KeyedDatasetTest, NeedsNoFeatures) {
  const KeyedDataset data(Floats{}, 0, std::vector<uint64_t>{1, 2}, 1, Floats{7, 8});
  EXPECT_THAT(FeaturesOf(data, {1}), testing::IsEmpty());
  EXPECT_THAT(KeysOf(data, {1}), ElementsAre(2));
  const DenseDataset dense(Floats{1}, 1, Floats{0});
  EXPECT_EQ(dense.fields(), 0u);
  EXPECT_THAT(KeysOf(dense, {0}), testing::IsEmpty());
}

TEST(DatasetSubsetTest, Renumbers) {
  const auto whole = std::make_shared<DenseDataset>(Floats{1, 2, 3}, 1, Floats{7, 8, 9});
  const DatasetSubset part(whole, {2, 0});
  EXPECT_EQ(part.size(), 2u);
  EXPECT_THAT(FeaturesOf(part, {0, 1}), ElementsAre(3, 1));
  EXPECT_THAT(ClassesOf(part, {1, 0}), ElementsAre(7, 9));
  EXPECT_THAT(TargetsOf(part, {1, 0}), ElementsAre(7, 9));
}

}  // namespace
}  // namespace syncline
