#include "server/shard/chunk_checks.h"

#include <cmath>
#include <vector>

#include "common/codec/codec.h"
#include "common/status/status_matchers.h"
#include "common/table/row_hash.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

constexpr uint32_t kSlots = 4;
constexpr uint32_t kSlot = 3;

TensorSpec Dense() {
  TensorSpec tensor;
  tensor.set_name("weight");
  return tensor;
}
TensorSpec Rows() {
  TensorSpec tensor;
  tensor.set_name("rows");
  tensor.mutable_table()->set_dim(2);
  tensor.mutable_table()->set_slots(kSlots);
  return tensor;
}
const ChunkInfo kDenseChunk{5, 0, 0, 3, false};
const ChunkInfo kRowChunk{9, 1, kSlot, 1024, true};

// Keys that fall into kSlot, or into others.
std::vector<uint64_t> SomeKeys(size_t count, bool in_slot) {
  std::vector<uint64_t> keys;
  for (uint64_t key = 0; keys.size() < count; ++key) {
    if ((SlotOfKey(key, kSlots) == kSlot) == in_slot) keys.push_back(key);
  }
  return keys;
}
Fragments Bytes(const std::vector<uint64_t>& keys) { return Fragments::Of(keys.data(), keys.size() * 8); }

TEST(ChunkChecksTest, KeysBelongToTheirSlot) {
  const std::vector<uint64_t> right = SomeKeys(10, true), wrong = SomeKeys(1, false);
  SYNCLINE_EXPECT_OK(CheckKeys(Rows(), kRowChunk, Bytes(right)));
  SYNCLINE_EXPECT_OK(CheckKeys(Rows(), kRowChunk, Fragments()));
  EXPECT_THAT(CheckKeys(Rows(), kRowChunk, Bytes(wrong)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("of table rows, not to 3")));
  EXPECT_THAT(CheckKeys(Rows(), kRowChunk, Fragments::Of(right.data(), 12)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("12 bytes for slot 9 of table rows")));
}

TEST(ChunkChecksTest, DenseChunksHaveNone) {
  const std::vector<uint64_t> keys = {1};
  SYNCLINE_EXPECT_OK(CheckKeys(Dense(), kDenseChunk, Fragments()));
  EXPECT_THAT(CheckKeys(Dense(), kDenseChunk, Bytes(keys)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("chunk 5 of tensor weight has no rows")));
}

TEST(ChunkChecksTest, GradientsHaveARowForEachKey) {
  const std::vector<uint64_t> keys = SomeKeys(3, true);
  const std::vector<float> floats(6);
  ChunkGradient gradient;
  gradient.keys = Bytes(keys);
  gradient.data = Fragments::Of(floats.data(), 24);
  EXPECT_EQ(GradientElements(Rows(), kRowChunk, gradient), 6u);
  SYNCLINE_EXPECT_OK(CheckGradient(Rows(), kRowChunk, gradient));
  gradient.data = Fragments::Of(floats.data(), 20);
  EXPECT_THAT(CheckGradient(Rows(), kRowChunk, gradient),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("has 24 bytes, the push 20")));
  gradient.data = Fragments::Of(floats.data(), EncodedBytes(FP16, 6));
  gradient.codec = FP16;
  SYNCLINE_EXPECT_OK(CheckGradient(Rows(), kRowChunk, gradient));
  // In int8 each row has a scale.
  const std::vector<float> coded(5);
  gradient.data = Fragments::Of(coded.data(), 3 * (4 + 2));
  gradient.codec = INT8;
  SYNCLINE_EXPECT_OK(CheckGradient(Rows(), kRowChunk, gradient));
  EXPECT_TRUE(IsFinite(Rows(), kRowChunk, gradient));
  const std::vector<float> odd = {0, 0, 0, std::nanf(""), 0};
  Fragments last;
  last.Append(odd.data(), 12);
  last.Append(odd.data() + 3, 6);
  gradient.data = last;
  EXPECT_FALSE(IsFinite(Rows(), kRowChunk, gradient)) << "the last row's scale";
  gradient.codec = TOPK;
  EXPECT_THAT(CheckGradient(Rows(), kRowChunk, gradient),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("none, fp16, bf16 or int8")));
}

// Wherever the network has cut the floats.
TEST(ChunkChecksTest, FindsWhatIsNotFinite) {
  TensorSpec tensor;
  ChunkInfo chunk;
  chunk.elements = 3;
  for (const float odd : {1.0f, std::nanf(""), INFINITY}) {
    const std::vector<float> floats = {0, 1, odd};
    const char* const bytes = reinterpret_cast<const char*>(floats.data());
    for (size_t cut = 1; cut < 12; ++cut) {
      ChunkGradient gradient;
      gradient.data.Append(bytes, cut);
      gradient.data.Append(bytes + cut, 12 - cut);
      EXPECT_EQ(IsFinite(tensor, chunk, gradient), odd == 1) << odd << ", cut at " << cut;
    }
  }
}

}  // namespace
}  // namespace syncline
