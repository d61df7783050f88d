#include "common/tensor/fragments.h"

#include <cstring>
#include <memory>
#include <vector>

#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(FragmentsTest, CountsBytesAndLeavesOutEmptyPieces) {
  Fragments fragments;
  EXPECT_TRUE(fragments.empty());
  fragments.Append("abcd", 4);
  fragments.Append("", 0);
  fragments.Append("ef", 2);
  EXPECT_EQ(fragments.size(), 6u);
  EXPECT_EQ(fragments.pieces().size(), 2u);
}

TEST(FragmentsTest, CopiesKeepTheOwner) {
  auto owner = std::make_shared<int>(7);
  const std::weak_ptr<int> alive = owner;
  auto original = std::make_unique<Fragments>(Fragments::Of(owner.get(), sizeof(int), owner));
  owner.reset();
  const Fragments copy = *original;
  original.reset();
  EXPECT_FALSE(alive.expired());
  EXPECT_EQ(copy.size(), sizeof(int));
}

TEST(FloatReaderTest, PointsIntoAlignedPieces) {
  const std::vector<float> values = {1, 2, 3, 4};
  const Fragments fragments = Fragments::Of(values.data(), 16);
  FloatReader reader(fragments);
  float scratch[2];
  EXPECT_EQ(reader.Next(2, scratch), values.data());
  EXPECT_EQ(reader.Next(2, scratch), values.data() + 2);
}

TEST(FloatReaderTest, CopiesAnUnalignedBlock) {
  alignas(float) char bytes[1 + 2 * sizeof(float)];
  const float values[2] = {1.5f, -2.5f};
  std::memcpy(bytes + 1, values, sizeof(values));
  const Fragments fragments = Fragments::Of(bytes + 1, sizeof(values));
  FloatReader reader(fragments);
  float scratch[2];
  ASSERT_EQ(reader.Next(2, scratch), scratch);
  EXPECT_EQ(scratch[0], 1.5f);
  EXPECT_EQ(scratch[1], -2.5f);
}

TEST(FloatReaderTest, JoinsAFloatSplitOverPieces) {
  const float values[3] = {1, 2, 3};
  const char* bytes = reinterpret_cast<const char*>(values);
  Fragments fragments;
  fragments.Append(bytes, 5);
  fragments.Append(bytes + 5, 1);
  fragments.Append(bytes + 6, 6);
  FloatReader reader(fragments);
  float scratch[2];
  EXPECT_EQ(reader.Next(1, scratch)[0], 1);
  const float* rest = reader.Next(2, scratch);
  EXPECT_EQ(rest[0], 2);
  EXPECT_EQ(rest[1], 3);
}

}  // namespace
}  // namespace syncline
