#include "common/table/packed_keys.h"

#include <random>
#include <string>
#include <vector>

#include "common/hash/mix.h"
#include "common/status/status_matchers.h"
#include "common/table/row_hash.h"
#include "common/tensor/keys.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

std::vector<uint64_t> Unpacked(const std::string& packed, uint32_t slot, uint32_t slots) {
  const auto keys = UnpackKeys(Fragments::Of(packed.data(), packed.size()), slot, slots);
  SYNCLINE_EXPECT_OK(keys.status());
  if (!keys.ok()) return {};
  const auto* const begin = reinterpret_cast<const uint64_t*>(keys->data());
  return {begin, begin + keys->size() / sizeof(uint64_t)};
}

// Of the keys key_of(0), key_of(1), …, the first `count` of a slot.
template <typename KeyOf>
std::vector<uint64_t> KeysOfSlot(size_t count, uint32_t slot, uint32_t slots, const KeyOf& key_of) {
  std::vector<uint64_t> keys;
  for (uint64_t i = 0; keys.size() < count; ++i) {
    if (SlotOfKey(key_of(i), slots) == slot) keys.push_back(key_of(i));
  }
  return keys;
}

TEST(PackedKeysTest, BytesOfAKey) {
  const auto bytes = [](uint32_t slots, uint64_t (*key_of)(uint64_t)) {
    const uint32_t slot = slots - 1;
    const std::vector<uint64_t> keys = KeysOfSlot(1000, slot, slots, key_of);
    const std::string packed = PackKeys(keys, slot, slots);
    EXPECT_EQ(Unpacked(packed, slot, slots), keys);
    return packed.size();
  };
  EXPECT_EQ(bytes(1, [](uint64_t i) { return i; }), 9u + 2000);
  EXPECT_EQ(bytes(256, [](uint64_t i) { return i; }), 9u + 3000);
  EXPECT_EQ(bytes(256, [](uint64_t i) { return (uint64_t{1} << 63) + i; }), 9u + 3000) << "from wherever they begin";
  EXPECT_EQ(bytes(256, Mix), 1u + 7000);
  EXPECT_EQ(bytes(300, Mix), 1u + 7000);
  EXPECT_EQ(bytes(255, Mix), 1u + 8000) << "a slot is more than 2^56 hashes";
}

TEST(PackedKeysTest, AnyKeysComeBack) {
  std::mt19937_64 random(3);
  for (const uint32_t slots : {1u, 7u, 256u, 1000u, 65536u}) {
    for (int round = 0; round < 30; ++round) {
      const uint32_t slot = static_cast<uint32_t>(random() % slots);
      const int bits = static_cast<int>(random() % 64);
      std::vector<uint64_t> keys;
      // Whatever slot they say they are of: that is checked elsewhere.
      for (size_t count = random() % 20; count > 0; --count) keys.push_back(random() >> bits);
      if (slots >= 256) {
        for (uint64_t& key : keys) {
          while (SlotOfKey(key, slots) != slot) key = random() >> (slots > 1000 ? 0 : bits % 40);
        }
      }
      EXPECT_EQ(Unpacked(PackKeys(keys, slot, slots), slot, slots), keys) << slots;
    }
  }
  EXPECT_EQ(PackKeys({}, 0, 1), "");
  const std::vector<uint64_t> ends = {0, ~uint64_t{0}};
  EXPECT_EQ(Unpacked(PackKeys(ends, 0, 1), 0, 1), ends);
}

TEST(PackedKeysTest, PiecesMakeNoDifference) {
  const std::vector<uint64_t> keys = {5, 500, 50000};
  const std::string packed = PackKeys(keys, 0, 1);
  Fragments pieces;
  for (const char& byte : packed) pieces.Append(&byte, 1);
  const auto back = UnpackKeys(pieces, 0, 1);
  SYNCLINE_ASSERT_OK(back.status());
  EXPECT_EQ(Keys(back->Share()).get(), absl::MakeConstSpan(keys));
}

TEST(PackedKeysTest, RefusesWhatIsNoKeys) {
  const auto refused = [](const std::string& bytes, const char* why) {
    EXPECT_THAT(UnpackKeys(Fragments::Of(bytes.data(), bytes.size()), 0, 256).status(),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr(why)));
  };
  refused(std::string(1, '\0'), "keys: they begin with 0");
  refused("\x0a", "keys: they begin with 10");
  refused("\x03", "keys: after the first 9 of 1");
  refused("\x03" + std::string(12, 'x'), "whole keys of 3");
  refused("\x08" + std::string(7, 'x'), "whole keys of 8");
  refused("\x01" + std::string(8 + 257, 'x'), "257 are more");
  refused("\x09", "whole keys of 7");
}

}  // namespace
}  // namespace syncline
