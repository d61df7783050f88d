#include "common/tensor/keys.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using testing::ElementsAre;

TEST(KeysTest, StayWhereTheyLieInOnePiece) {
  const std::vector<uint64_t> keys = {1, ~uint64_t{0}, 3};
  const Fragments fragments = Fragments::Of(keys.data(), keys.size() * 8);
  EXPECT_EQ(Keys(fragments).get().data(), keys.data());
  EXPECT_THAT(Keys(fragments).get(), ElementsAre(1, ~uint64_t{0}, 3));
}

TEST(KeysTest, ArePutTogetherFromUnalignedPieces) {
  const std::vector<uint64_t> keys = {1, 0x0102030405060708, 3};
  std::vector<char> bytes(keys.size() * 8 + 1);
  std::copy_n(reinterpret_cast<const char*>(keys.data()), keys.size() * 8, bytes.data() + 1);
  Fragments fragments;
  fragments.Append(bytes.data() + 1, 11);
  fragments.Append(bytes.data() + 12, 13);
  EXPECT_THAT(Keys(fragments).get(), ElementsAre(1, 0x0102030405060708, 3));
}

TEST(KeysTest, MayBeNone) { EXPECT_THAT(Keys(Fragments()).get(), ElementsAre()); }

}  // namespace
}  // namespace syncline
