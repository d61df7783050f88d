#include "common/codec/codec.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace syncline {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

std::string Encoded(Codec codec, const std::vector<float>& values, uint64_t seed = 1) {
  std::string bytes(EncodedBytes(codec, values.size()), '\0');
  EncodeFloats(codec, values.data(), values.size(), seed, bytes.data());
  return bytes;
}

// The bytes in pieces of `piece`, at odd places.
std::vector<float> Decoded(Codec codec, const std::string& bytes, size_t n,
                           size_t piece = std::string::npos) {
  std::vector<std::string> kept;
  for (size_t i = 0; i < bytes.size(); i += std::min(piece, bytes.size())) {
    kept.push_back("x" + bytes.substr(i, piece));
  }
  Fragments encoded;
  for (const std::string& k : kept) encoded.Append(k.data() + 1, k.size() - 1);
  std::vector<float> values(n, -1);
  DecodeFloats(codec, encoded, n, values.data());
  return values;
}

std::vector<float> RoundTrip(Codec codec, const std::vector<float>& values) {
  return Decoded(codec, Encoded(codec, values), values.size());
}

std::vector<float> Normal(size_t n) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 0.1f);
  std::vector<float> values(n);
  for (float& v : values) v = normal(random);
  return values;
}

TEST(CodecTest, EachRoundTripIsAsNearAsItsFormatAllows) {
  const std::vector<float> values = Normal(10000);
  float largest = 0;
  for (const float v : values) largest = std::max(largest, std::abs(v));
  EXPECT_EQ(RoundTrip(CODEC_NONE, values), values);
  const auto half = RoundTrip(FP16, values), bfloat = RoundTrip(BF16, values),
             int8 = RoundTrip(INT8, values);
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_LE(std::abs(half[i] - values[i]), std::abs(values[i]) / 2048 + 1e-7f) << values[i];
    EXPECT_LE(std::abs(bfloat[i] - values[i]), std::abs(values[i]) / 256) << values[i];
    EXPECT_LE(std::abs(int8[i] - values[i]), largest / 127 * 1.001f) << values[i];
  }
}

TEST(CodecTest, EveryHalfGoesRound) {
  std::vector<float> values;
  std::string bytes;
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    if ((bits & 0x7c00) == 0x7c00 && (bits & 0x3ff) != 0) continue;  // NaN
    const uint16_t half = static_cast<uint16_t>(bits);
    bytes.append(reinterpret_cast<const char*>(&half), 2);
  }
  values = Decoded(FP16, bytes, bytes.size() / 2);
  EXPECT_EQ(Encoded(FP16, values), bytes);
  EXPECT_EQ(values[0x3c00], 1.0f);
  EXPECT_EQ(values[0x0001], std::ldexp(1.0f, -24));
  EXPECT_EQ(values[0x7bff], 65504.0f);
}

TEST(CodecTest, HalvesRoundToNearestEvenAndKeepToTheirRange) {
  const std::vector<float> values = {1 + 1.0f / 2048, 1 + 3.0f / 2048, 65519.9f, 65520, 1e9f,
                                     -1e9f,           1e-9f,           kInf,     -kInf};
  EXPECT_EQ(RoundTrip(FP16, values),
            std::vector<float>({1, 1 + 4.0f / 2048, 65504, 65504, 65504, -65504, 0, kInf, -kInf}));
  EXPECT_TRUE(std::isnan(RoundTrip(FP16, {std::nanf("")})[0]));
}

TEST(CodecTest, BfloatsRoundToNearestEvenAndKeepNaN) {
  EXPECT_EQ(RoundTrip(BF16, {1 + 1.0f / 256, 1 + 3.0f / 256, kInf, -2}),
            std::vector<float>({1, 1 + 4.0f / 256, kInf, -2}));
  // A NaN whose bits are all in the lower half.
  uint32_t bits = 0x7f800001u;
  float nan;
  std::memcpy(&nan, &bits, 4);
  EXPECT_TRUE(std::isnan(RoundTrip(BF16, {nan})[0]));
}

TEST(CodecTest, Int8IsRightInTheMean) {
  const std::vector<float> values = {0.3f, -0.7f, 0.01f, 1.0f, 0.0f};
  std::vector<double> sum(values.size());
  constexpr int kTimes = 20000;
  for (int seed = 0; seed < kTimes; ++seed) {
    const auto decoded = Decoded(INT8, Encoded(INT8, values, seed), values.size());
    for (size_t i = 0; i < values.size(); ++i) sum[i] += decoded[i];
  }
  // The deviation of a mean of uniform roundings, four times.
  const double tolerance = 4 * (1.0 / 127) / 2 / std::sqrt(kTimes);
  for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(sum[i] / kTimes, values[i], tolerance);
}

TEST(CodecTest, Int8ScalesEachBlockAlone) {
  std::vector<float> values(kInt8Block + 3, 100.0f);
  for (size_t i = kInt8Block; i < values.size(); ++i) values[i] = 0.001f;
  const auto decoded = RoundTrip(INT8, values);
  EXPECT_FLOAT_EQ(decoded[0], 100);
  EXPECT_FLOAT_EQ(decoded[kInt8Block + 2], 0.001f);
  values[5] = kInf;
  EXPECT_TRUE(std::isnan(RoundTrip(INT8, values)[6]));
  EXPECT_FLOAT_EQ(RoundTrip(INT8, values)[kInt8Block], 0.001f);
}

TEST(CodecTest, TheSameSeedGivesTheSameBytes) {
  const std::vector<float> values = Normal(1000);
  EXPECT_EQ(Encoded(INT8, values, 5), Encoded(INT8, values, 5));
  EXPECT_NE(Encoded(INT8, values, 5), Encoded(INT8, values, 6));
}

TEST(CodecTest, ItDoesNotMatterHowTheBytesArrive) {
  for (const Codec codec : {CODEC_NONE, FP16, BF16, INT8}) {
    const std::vector<float> values = Normal(9001);
    const std::string bytes = Encoded(codec, values);
    const auto whole = Decoded(codec, bytes, values.size());
    for (const size_t piece : {1u, 3u, 1000u}) {
      EXPECT_EQ(Decoded(codec, bytes, values.size(), piece), whole) << codec << " by " << piece;
    }
  }
}

TEST(CodecTest, SizesAreAsDocumented) {
  EXPECT_EQ(EncodedBytes(CODEC_UNSPECIFIED, 10), 40u);
  EXPECT_EQ(EncodedBytes(CODEC_NONE, 10), 40u);
  EXPECT_EQ(EncodedBytes(FP16, 10), 20u);
  EXPECT_EQ(EncodedBytes(BF16, 10), 20u);
  EXPECT_EQ(EncodedBytes(INT8, 256), 260u);
  EXPECT_EQ(EncodedBytes(INT8, 257), 265u);
  EXPECT_EQ(EncodedBytes(INT8, 0), 0u);
}

TEST(CodecTest, TopkKeepsTheLargestOfEachBlock) {
  std::vector<float> values(kTopkBlock + 100, 0.5f);
  values[7] = -3;
  values[4095] = 2;
  values[4100] = 1;
  const auto kept = RoundTrip(TOPK, values);
  EXPECT_EQ(kept[7], -3);
  EXPECT_EQ(kept[4095], 2);
  EXPECT_EQ(kept[4100], 1);
  // Of equals the first; 62 more in the first block, and one number in the last.
  EXPECT_EQ(kept[0], 0.5f);
  EXPECT_EQ(kept[62], 0.5f);
  EXPECT_EQ(kept[63], 0);
  EXPECT_EQ(kept[4096], 0);
  EXPECT_EQ(std::count(kept.begin(), kept.end(), 0.0f), kTopkBlock + 100 - 65);
  EXPECT_EQ(EncodedBytes(TOPK, values.size()), 65u * 6);
}

TEST(CodecTest, TopkRefusesPlacesThatAreNotInOrderInTheBlock) {
  const std::vector<float> values = Normal(kTopkBlock + 100);
  const auto well = [&](const std::string& bytes) {
    return WellFormed(TOPK, Fragments::Of(bytes.data(), bytes.size()), values.size());
  };
  const std::string good = Encoded(TOPK, values);
  EXPECT_TRUE(well(good));
  std::string twice = good;
  twice.replace(2, 2, good.substr(0, 2));
  EXPECT_FALSE(well(twice));
  std::string beyond = good;
  beyond.replace(64 * 6, 2, std::string("\x64\0", 2));  // 100, in a block of 100
  EXPECT_FALSE(well(beyond));
  Decoded(TOPK, beyond, values.size());  // and touches nothing it should not
}

TEST(CodecTest, OneBitKeepsSignsAndTheMeanSize) {
  std::vector<float> values = {1, -2, 3, -6};
  values.resize(kOneBitBlock + 3, 0);
  values[kOneBitBlock + 1] = -9;
  const auto kept = RoundTrip(ONEBIT, values);
  EXPECT_EQ(kept[0], 12.0f / 256);
  EXPECT_EQ(kept[1], -12.0f / 256);
  EXPECT_EQ(kept[255], 12.0f / 256);
  EXPECT_EQ(kept[256], 3);
  EXPECT_EQ(kept[257], -3);
  EXPECT_EQ(EncodedBytes(ONEBIT, values.size()), 4u + 32 + 4 + 1);
}

// What is left out at first comes through in time: the sum of what was sent nears the sum of what was
// to be sent, whatever the codec.
TEST(CodecTest, FeedbackLosesNothing) {
  for (const Codec codec : {TOPK, ONEBIT}) {
    const std::vector<float> values = Normal(5000);
    std::vector<float> held_back(values.size(), 0), sent(values.size(), 0);
    std::string bytes(EncodedBytes(codec, values.size()), '\0');
    constexpr int kTimes = 500;
    for (int i = 0; i < kTimes; ++i) {
      EncodeWithFeedback(codec, values.data(), values.size(), 1, held_back.data(), bytes.data());
      const auto decoded = Decoded(codec, bytes, values.size(), 1000);
      for (size_t j = 0; j < sent.size(); ++j) sent[j] += decoded[j];
    }
    for (size_t j = 0; j < sent.size(); ++j) {
      EXPECT_NEAR(sent[j] + held_back[j], kTimes * values[j], 0.02) << Codec_Name(codec);
      // A thing is sent at the latest when it has become one of the largest.
      EXPECT_NEAR(sent[j] / kTimes, values[j], 0.1) << Codec_Name(codec);
    }
  }
}

TEST(CodecTest, NothingIsHeldBackOfWhatIsNotFinite) {
  for (const Codec codec : {TOPK, ONEBIT}) {
    std::vector<float> values = Normal(5000);
    values[4999] = std::nanf("");
    std::vector<float> held_back(values.size(), 1);
    std::string bytes(EncodedBytes(codec, values.size()), '\0');
    EncodeWithFeedback(codec, values.data(), values.size(), 1, held_back.data(), bytes.data());
    EXPECT_EQ(held_back, std::vector<float>(values.size(), 0));
    EXPECT_TRUE(std::isnan(Decoded(codec, bytes, values.size())[4999]));
  }
}

}  // namespace
}  // namespace syncline
