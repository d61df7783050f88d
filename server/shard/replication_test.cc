#include "server/shard/replication.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using testing::ElementsAre;

std::vector<uint32_t> ChunksOf(const std::optional<Replication::Message>& message) {
  std::vector<uint32_t> chunks;
  if (message) {
    for (const Replication::Item& item : message->chunks) chunks.push_back(item.chunk);
  }
  return chunks;
}

TEST(ReplicationTest, WithoutCopiesAllIsSafe) {
  Replication replication;
  replication.Changed({1, 2});
  EXPECT_FALSE(replication.active());
  EXPECT_TRUE(replication.Safe());
  EXPECT_FALSE(replication.Next());
}

TEST(ReplicationTest, AnUpdateIsSafeWhenEveryCopyHasIt) {
  Replication replication;
  replication.SetCopies({{"a", {1, 2}}, {"b", {2}}}, true);
  EXPECT_TRUE(replication.Safe());
  replication.Changed({2});
  const auto first = replication.Next(), second = replication.Next();
  EXPECT_THAT(ChunksOf(first), ElementsAre(2));
  EXPECT_THAT(ChunksOf(second), ElementsAre(2));
  EXPECT_NE(first->to, second->to);
  replication.Sent(*first, true);
  EXPECT_FALSE(replication.Safe());
  replication.Sent(*second, true);
  EXPECT_TRUE(replication.Safe());
}

TEST(ReplicationTest, UpdatesInTheMeantimeGoTogetherAndInOrder) {
  Replication replication;
  replication.SetCopies({{"a", {1}}}, true);
  replication.Changed({1});
  const Replication::Moment first = replication.now();
  const auto message = replication.Next();
  replication.Changed({1});
  replication.Changed({1});
  EXPECT_FALSE(replication.Next()) << "one at a time of a chunk";
  EXPECT_FALSE(replication.Safe(first));
  replication.Sent(*message, true);
  EXPECT_TRUE(replication.Safe(first));
  EXPECT_FALSE(replication.Safe());
  const auto rest = replication.Next();
  ASSERT_TRUE(rest);
  replication.Sent(*rest, true);
  EXPECT_TRUE(replication.Safe());
  EXPECT_FALSE(replication.Next());
}

TEST(ReplicationTest, WhatDidNotArriveIsSentAgain) {
  Replication replication;
  replication.SetCopies({{"a", {1}}}, true);
  replication.Changed({1});
  const Replication::Moment first = replication.now();
  const auto lost = replication.Next();
  replication.Changed({1});
  replication.Sent(*lost, false);
  EXPECT_FALSE(replication.Safe(first));
  const auto again = replication.Next();
  ASSERT_TRUE(again);
  replication.Sent(*again, true);
  EXPECT_TRUE(replication.Safe()) << "it was sent with the later update in it";
}

TEST(ReplicationTest, ANewCopyHasToBeMadeAndOneThatIsGivenUpHoldsNothingUp) {
  Replication replication;
  replication.SetCopies({{"a", {1}}}, true);
  replication.SetCopies({{"a", {1}}, {"b", {1, 2}}}, false);
  EXPECT_EQ(replication.unmade(), 2u);
  EXPECT_FALSE(replication.Safe());
  const auto message = replication.Next();
  EXPECT_EQ(message->to, "b");
  replication.SetCopies({{"a", {1}}}, false);
  EXPECT_TRUE(replication.Safe());
  replication.SetCopies({{"b", {1}}}, false);
  replication.Sent(*message, true);  // of the copy that was given up
  EXPECT_EQ(replication.unmade(), 1u);
  EXPECT_FALSE(replication.Safe());
  const auto anew = replication.Next();
  ASSERT_TRUE(anew);
  replication.Sent(*anew, true);
  EXPECT_EQ(replication.unmade(), 0u);
  EXPECT_TRUE(replication.Safe());
}

TEST(ReplicationTest, ACopyIsSentFromWhereItWasLastHeardOf) {
  Replication replication;
  replication.SetCopies({{"a", {1}}}, true);
  replication.Changed({1});
  auto message = replication.Next();
  EXPECT_FALSE(message->chunks[0].held) << "what it is like is not known";
  message->chunks[0].sent = CopyState{1, 7};
  replication.Sent(*message, true);
  replication.Changed({1});
  message = replication.Next();
  ASSERT_TRUE(message->chunks[0].held);
  EXPECT_EQ(message->chunks[0].held->version, 7u);
  message->chunks[0].sent = CopyState{1, 8};
  replication.Sent(*message, false);
  message = replication.Next();
  ASSERT_TRUE(message->chunks[0].held) << "it may have arrived or not: it has at least what it had";
  EXPECT_EQ(message->chunks[0].held->version, 7u);
  const uint32_t wanting = 1;
  replication.Sent(*message, true, {&wanting, 1});
  EXPECT_FALSE(replication.Safe());
  message = replication.Next();
  ASSERT_TRUE(message);
  EXPECT_FALSE(message->chunks[0].held) << "it asked for all";
}

TEST(ReplicationTest, ACopyThatWasTakenUpAnewIsSentWhole) {
  Replication replication;
  replication.SetCopies({{"a", {1}}}, true);
  replication.Changed({1});
  auto message = replication.Next();
  message->chunks[0].sent = CopyState{1, 7};
  replication.Sent(*message, true);
  replication.SetCopies({}, false);
  replication.SetCopies({{"a", {1}}}, false);
  EXPECT_FALSE(replication.Next()->chunks[0].held);
}

TEST(ReplicationTest, ManyChangesGoTogether) {
  Replication replication([](uint32_t, bool whole) { return whole ? 1.0 : 0.5; });
  replication.SetCopies({{"a", {1, 2, 3}}}, true);
  replication.Changed({1, 2, 3});
  for (const uint32_t chunk : {1u, 2u, 3u}) {
    auto message = replication.Next();
    EXPECT_THAT(ChunksOf(message), ElementsAre(chunk));
    message->chunks[0].sent = CopyState{1, 1};
    replication.Sent(*message, true);
  }
  replication.Changed({1, 2, 3});
  EXPECT_THAT(ChunksOf(replication.Next()), ElementsAre(1, 2));
}

TEST(ReplicationTest, FewMessagesAtATimeOfFewChunks) {
  Replication replication([](uint32_t, bool) { return 0.5; });
  replication.SetCopies({{"a", {1, 2, 3, 4, 5}}}, true);
  replication.Changed({1, 2, 3, 4, 5});
  const auto first = replication.Next(), second = replication.Next();
  EXPECT_THAT(ChunksOf(first), ElementsAre(1, 2));
  EXPECT_THAT(ChunksOf(second), ElementsAre(3, 4));
  EXPECT_FALSE(replication.Next());
  replication.Sent(*first, true);
  EXPECT_THAT(ChunksOf(replication.Next()), ElementsAre(5));
}

}  // namespace
}  // namespace syncline
