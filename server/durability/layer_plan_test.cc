#include "server/durability/layer_plan.h"

#include <memory>
#include <string>
#include <utility>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/row_format.h"

namespace syncline {
namespace {

using testing::ElementsAre;
using Part = PlannedChunk::Part;

constexpr size_t kStride = 20;

// A slot of 100 rows at version 50, of which the first `changed` were touched by update 50, the others by 10.
ChunkSnapshot Slot(uint32_t id, size_t changed) {
  auto bytes = std::make_shared<std::string>(100 * kStride, '\0');
  for (size_t row = 0; row < 100; ++row) RowFormat::SetChanged(row < changed ? 50 : 10, &(*bytes)[row * kStride]);
  ChunkSnapshot slot;
  slot.chunk = id;
  slot.version = 50;
  slot.weights = Fragments::Of(bytes->data(), bytes->size(), bytes);
  slot.erased = std::make_shared<const ErasedRows>(20);
  return slot;
}

PlannedChunk Whole(const ChunkSnapshot& chunk, size_t stride = kStride) {
  PlannedChunk part;
  part.chunk = &chunk;
  part.stride = stride;
  return part;
}

CheckpointFile File(uint64_t bytes) {
  CheckpointFile file;
  file.set_bytes(bytes);
  return file;
}

// What is in layers 0 and 1 of chunk 0, as it was at this version.
Layers Last(uint64_t version) {
  Layers last;
  last.layers = {{0, File(2000)}, {1, File(100)}};
  last.chunks[0] = {version, 0, {0, 1}};
  return last;
}

LayerPlan Planned(const Layers& last, std::vector<PlannedChunk> parts) {
  const auto plan = PlanLayer(last, std::move(parts));
  SYNCLINE_EXPECT_OK(plan.status());
  return plan.value_or(LayerPlan());
}

TEST(LayerPlanTest, RowsThatChangedAreWrittenUnlessTheyAreHalf) {
  const ChunkSnapshot slot = Slot(0, 49);
  const LayerPlan plan = Planned(Last(30), {Whole(slot)});
  EXPECT_EQ(plan.number, 2u);
  EXPECT_EQ(plan.kept.size(), 2u);
  EXPECT_EQ(plan.parts[0].part, Part::kChanged);
  EXPECT_EQ(plan.parts[0].changed, 49u);
  EXPECT_EQ(plan.parts[0].below, 1u);
  const Layers after = LayersAfter(Last(30), plan, File(980));
  EXPECT_THAT(after.chunks.at(0).layers, ElementsAre(0, 1, 2));
  EXPECT_EQ(after.chunks.at(0).version, 50u);

  const ChunkSnapshot half = Slot(0, 50);
  const LayerPlan whole = Planned(Last(30), {Whole(half)});
  EXPECT_EQ(whole.parts[0].part, Part::kAll);
  EXPECT_TRUE(whole.kept.empty());
  EXPECT_EQ(whole.number, 0u);
  EXPECT_THAT(LayersAfter(Last(30), whole, File(2000)).chunks.at(0).layers, ElementsAre(0));
}

TEST(LayerPlanTest, ASlotNoneOfWhoseRowsChangedStaysWhereItIs) {
  const ChunkSnapshot slot = Slot(0, 0);
  const LayerPlan plan = Planned(Last(30), {Whole(slot)});
  EXPECT_EQ(plan.parts[0].part, Part::kNone);
  EXPECT_EQ(plan.parts[0].below, 1u);
  const Layers after = LayersAfter(Last(30), plan, File(10));
  EXPECT_THAT(after.chunks.at(0).layers, ElementsAre(0, 1));
  EXPECT_EQ(after.chunks.at(0).version, 50u);
}

TEST(LayerPlanTest, WhatWasErasedIsWrittenAndWhereNobodyKnowsAllIs) {
  ChunkSnapshot slot = Slot(0, 0);
  slot.erased = slot.erased->With(40, {7, 8}, 100);
  EXPECT_THAT(Planned(Last(30), {Whole(slot)}).parts[0].erased, ElementsAre(7, 8));
  EXPECT_EQ(Planned(Last(45), {Whole(slot)}).parts[0].part, Part::kNone);
  EXPECT_EQ(Planned(Last(19), {Whole(slot)}).parts[0].part, Part::kAll) << "known from 20 on";
}

TEST(LayerPlanTest, ADenseChunkIsWrittenWholeOrNotAtAll) {
  const ChunkSnapshot chunk = Slot(0, 1);
  EXPECT_EQ(Planned(Last(30), {Whole(chunk, 0)}).parts[0].part, Part::kAll);
  EXPECT_EQ(Planned(Last(50), {Whole(chunk, 0)}).parts[0].part, Part::kNone);
}

TEST(LayerPlanTest, TooManyFilesOrBytesAndEverythingIsWritten) {
  const ChunkSnapshot slot = Slot(0, 1);
  Layers many = Last(30);
  for (uint32_t number = 2; number < kMostLayers; ++number) {
    many.layers.push_back({number, File(10)});
    many.chunks[0].layers.push_back(number);
    const LayerPlan plan = Planned(many, {Whole(slot)});
    EXPECT_EQ(plan.kept.size(), number + 1 < kMostLayers ? number + 1 : 0) << number;
  }
  Layers large = Last(30);
  large.layers[1].file.set_bytes(kSlack + 2000 - 20);
  EXPECT_EQ(Planned(large, {Whole(slot)}).kept.size(), 2u);
  large.layers[1].file.set_bytes(kSlack + 2000 - 19);
  EXPECT_TRUE(Planned(large, {Whole(slot)}).kept.empty());
  EXPECT_EQ(Planned(large, {Whole(slot)}).parts[0].part, Part::kAll);
  large.chunks[0].layers = {0};
  EXPECT_EQ(Planned(large, {Whole(slot)}).kept.size(), 1u) << "a layer that nobody needs does not count";
}

}  // namespace
}  // namespace syncline
