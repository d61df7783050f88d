#include "server/store/row_journal.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;

TEST(RowJournalTest, KnowsTheKeysOfTheLatestUpdates) {
  RowJournal journal;
  journal.Add(1, {5, 3});
  journal.Add(2, {});
  journal.Add(3, {9, 3});
  journal.Add(3, {4});
  EXPECT_THAT(journal.Since(0), Optional(ElementsAre(3, 4, 5, 9)));
  EXPECT_THAT(journal.Since(1), Optional(ElementsAre(3, 4, 9)));
  EXPECT_THAT(journal.Since(2), Optional(ElementsAre(3, 4, 9)));
  EXPECT_THAT(journal.Since(3), Optional(IsEmpty()));
}

TEST(RowJournalTest, WhatItForgotItDoesNotKnow) {
  RowJournal journal;
  journal.Add(1, {1, 2});
  journal.Add(2, {3});
  journal.Trim(3);
  EXPECT_THAT(journal.Since(0), Optional(ElementsAre(1, 2, 3)));
  journal.Trim(2);
  EXPECT_EQ(journal.Since(0), std::nullopt);
  EXPECT_THAT(journal.Since(1), Optional(ElementsAre(3)));
  journal.Trim(0);
  EXPECT_EQ(journal.Since(1), std::nullopt);
  EXPECT_THAT(journal.Since(2), Optional(IsEmpty()));
}

TEST(RowJournalTest, BeginsAnewWhereASlotWasReplaced) {
  RowJournal journal;
  journal.Add(1, {1});
  journal.BeginAt(7);
  EXPECT_EQ(journal.Since(6), std::nullopt);
  journal.Add(8, {2});
  EXPECT_THAT(journal.Since(7), Optional(ElementsAre(2)));
}

}  // namespace
}  // namespace syncline
