#include "common/hash/xxh64.h"

#include <string>

#include "common/hash/feature_key.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

// The buffer that the reference implementation checks itself with.
std::string SanityBuffer(size_t size) {
  constexpr uint64_t kPrime32 = 2654435761u;
  constexpr uint64_t kPrime64 = 11400714785074694797u;
  std::string bytes;
  uint64_t generator = kPrime32;
  for (size_t i = 0; i < size; ++i) {
    bytes += static_cast<char>(generator >> 56);
    generator *= kPrime64;
  }
  return bytes;
}

TEST(Xxh64Test, IsThatOfTheSpecification) {
  constexpr uint64_t kSeed = 2654435761u;
  EXPECT_EQ(Xxh64("", 0), 0xEF46DB3751D8E999u);
  EXPECT_EQ(Xxh64("", kSeed), 0xAC75FDA2929B17EFu);
  EXPECT_EQ(Xxh64("a", 0), 0xD24EC4F1A98C6E5Bu);
  EXPECT_EQ(Xxh64("abc", 0), 0x44BC2CF5AD770999u);
  EXPECT_EQ(Xxh64(SanityBuffer(1), 0), 0xE934A84ADB052768u);
  EXPECT_EQ(Xxh64(SanityBuffer(1), kSeed), 0x5014607643A9B4C3u);
  EXPECT_EQ(Xxh64(SanityBuffer(14), 0), 0x8282DCC4994E35C8u);
  EXPECT_EQ(Xxh64(SanityBuffer(14), kSeed), 0xC3BD6BF63DEB6DF0u);
  EXPECT_EQ(Xxh64(SanityBuffer(222), 0), 0xB641AE8CB691C174u);
  EXPECT_EQ(Xxh64(SanityBuffer(222), kSeed), 0x20CB8AB7AE10C14Au);
}

// Checkpoints hold keys: these never change.
TEST(FeatureKeyTest, DiffersByField) {
  EXPECT_EQ(FeatureKey("C1", "68fd1e64"), Xxh64("68fd1e64", Xxh64("C1", 0)));
  EXPECT_NE(FeatureKey("C1", "68fd1e64"), FeatureKey("C2", "68fd1e64"));
  EXPECT_NE(FeatureKey("C1", ""), FeatureKey("C2", ""));
  EXPECT_NE(FeatureKey("C1", ""), kNoKey);
}

}  // namespace
}  // namespace syncline
