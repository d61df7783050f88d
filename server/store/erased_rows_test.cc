#include "server/store/erased_rows.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;

TEST(ErasedRowsTest, SaysWhatWasErasedSince) {
  const ErasedRows none(10);
  const auto some = none.With(64, {1, 2}, 100)->With(128, {3}, 100);
  EXPECT_THAT(some->Since(10), Optional(ElementsAre(1, 2, 3)));
  EXPECT_THAT(some->Since(63), Optional(ElementsAre(1, 2, 3)));
  EXPECT_THAT(some->Since(64), Optional(ElementsAre(3)));
  EXPECT_THAT(some->Since(128), Optional(IsEmpty()));
  EXPECT_EQ(some->Since(9), std::nullopt) << "before it was at 10 there may have been others";
  EXPECT_THAT(none.Since(10), Optional(IsEmpty())) << "what was made of it changed nothing";
}

TEST(ErasedRowsTest, ForgetsTheOldest) {
  const auto three = ErasedRows(0).With(64, {1, 2}, 3)->With(128, {3}, 3);
  EXPECT_THAT(three->Since(0), Optional(ElementsAre(1, 2, 3)));
  const auto later = three->With(192, {4}, 3);
  EXPECT_EQ(later->Since(63), std::nullopt) << "one of the two of 64 had to go";
  EXPECT_THAT(later->Since(64), Optional(ElementsAre(3, 4)));
  const auto many = three->With(192, {4, 5, 6, 7}, 3);
  EXPECT_EQ(many->Since(128), std::nullopt);
  EXPECT_THAT(many->Since(192), Optional(IsEmpty()));
}

}  // namespace
}  // namespace syncline
