#include "server/store/page_cleaning.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(PageCleaningTest, TheColdestRowsAreGatheredOnThePagesThatLeave) {
  // Three pages of four rows; the four least are 1, 2, 3 and 4.
  const std::vector<float> worths = {9, 1, 8, 2, 3, 9, 4, 7, 9, 9, 9, 9};
  const PageCleaning one = CleanPages({{0, 4}, {4, 8}, {8, 12}}, worths, 1);
  EXPECT_THAT(one.leaving, ElementsAre(0u));
  EXPECT_THAT(one.exchanged, ElementsAre(Pair(0u, 4u), Pair(2u, 6u)));
  const PageCleaning two = CleanPages({{0, 4}, {4, 8}, {8, 12}}, worths, 2);
  EXPECT_THAT(two.leaving, ElementsAre(0u, 1u));
  EXPECT_THAT(two.exchanged, IsEmpty()) << "of equal rows the first are cold, which are on these pages";
}

TEST(PageCleaningTest, PagesLeaveThatNeedTheFewestMoves) {
  const PageCleaning cleaning = CleanPages({{0, 2}, {2, 4}, {4, 6}}, {1, 5, 9, 9, 3, 0.5f}, 1);
  EXPECT_THAT(cleaning.leaving, ElementsAre(0u));
  EXPECT_THAT(cleaning.exchanged, ElementsAre(Pair(1u, 5u)));
  EXPECT_THAT(CleanPages({{0, 2}, {2, 4}, {4, 6}}, {1, 5, 9, 9, 0.7f, 0.5f}, 1).leaving, ElementsAre(2u));
}

TEST(PageCleaningTest, APageThatStaysGivesUpItsColdRows) {
  const PageCleaning cleaning = CleanPages({{0, 2}, {2, 3, /*stays=*/true}}, {5, 1, 2}, 3);
  EXPECT_THAT(cleaning.leaving, ElementsAre(0u));
  EXPECT_THAT(cleaning.exchanged, ElementsAre(Pair(0u, 2u)));
  EXPECT_THAT(CleanPages({{0, 2, true}}, {5, 1}, 1).leaving, IsEmpty());
  EXPECT_THAT(CleanPages({}, {}, 1).leaving, IsEmpty());
}

TEST(PageCleaningTest, WorthGoesByHowOftenARowComesAndCame) {
  EXPECT_GT(RowWorth(10, 5), RowWorth(5, 5));
  EXPECT_GT(RowWorth(10, 5), RowWorth(10, 6));
  EXPECT_GT(RowWorth(3, 1), RowWorth(1000, 1000000)) << "often, but long ago";
  EXPECT_GT(RowWorth(30, 50), RowWorth(1, 0)) << "what came once, and just now, is no better than what comes often";
  EXPECT_GT(RowWorth(0xffffffffu, 0), RowWorth(0xffffffffu, 1));
}

}  // namespace
}  // namespace syncline
