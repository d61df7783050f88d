#include "server/store/row_slot.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "common/optimizer/adagrad.h"
#include "common/optimizer/adam.h"
#include "common/optimizer/elementwise_rows.h"
#include "common/optimizer/exact_adam.h"
#include "common/optimizer/ftrl.h"
#include "common/optimizer/momentum.h"
#include "common/optimizer/row_wise_adagrad.h"
#include "common/optimizer/sgd.h"
#include "common/status/status_matchers.h"
#include "common/table/row_hash.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/row_model.h"

namespace syncline {
namespace {

using testing::HasSubstr;

constexpr size_t kDim = 5;

template <typename Rule, typename... Args>
std::unique_ptr<const RowRule> Lazy(Args... args) {
  return std::make_unique<ElementwiseRows>(std::make_unique<Rule>(args...));
}

std::unique_ptr<const RowRule> MakeRule(const std::string& name) {
  if (name == "sgd") return Lazy<Sgd>(0.01f);
  if (name == "momentum") return Lazy<Momentum>(0.9f, true, 0.0f);
  if (name == "adagrad") return Lazy<Adagrad>(1e-10f, 0.1f, 0.0f);
  if (name == "adam") return Lazy<Adam>(Adam::Settings{});
  if (name == "ftrl") return Lazy<Ftrl>(Ftrl::Settings{-0.5, 0.01, 0.1, 1, 0, 0});
  if (name == "row_wise_adagrad") return std::make_unique<RowWiseAdagrad>(1e-8f, 0.0f, 0.0f);
  return std::make_unique<ExactAdam>(ExactAdam::Settings{});
}

InitialRows Uniform() {
  Initializer settings;
  settings.set_kind(Initializer::UNIFORM);
  settings.set_a(-0.5f);
  settings.set_b(0.5f);
  return InitialRows(settings, 42, "table");
}

UpdateSettings Rate(double rate) {
  UpdateSettings settings;
  settings.learning_rate = rate;
  return settings;
}

std::string Bytes(const Fragments& rows) {
  std::string bytes(rows.size(), 0);
  if (!bytes.empty()) FloatReader(rows).Copy(rows.size(), bytes.data());
  return bytes;
}

// Keys and their gradients, and the same as a push.
struct Push {
  RowGradients gradients(float weight = 1) const { return {keys, &fragments, weight}; }
  void Seal() { fragments = Fragments::Of(values.data(), values.size() * sizeof(float)); }

  std::vector<uint64_t> keys;
  std::vector<float> values;
  Fragments fragments;
};

Push RandomPush(std::mt19937_64* random, size_t count, uint64_t keys) {
  Push push;
  std::map<uint64_t, bool> chosen;
  while (chosen.size() < count) chosen[(*random)() % keys] = true;
  for (const auto& [key, unused] : chosen) push.keys.push_back(key);
  std::shuffle(push.keys.begin(), push.keys.end(), *random);
  for (size_t i = 0; i < count * kDim; ++i) {
    push.values.push_back(static_cast<float>(static_cast<int>((*random)() % 2001) - 1000) / 500);
  }
  push.Seal();
  return push;
}

struct Case {
  std::string rule;
  StoredAs storage;
};

class RowSlotTest : public testing::TestWithParam<Case> {
 protected:
  RowSlot NewSlot() const { return RowSlot(format_, rule_.get(), Uniform()); }

  const std::unique_ptr<const RowRule> rule_ = MakeRule(GetParam().rule);
  const RowFormat format_{kDim, GetParam().storage, *rule_};
};

TEST_P(RowSlotTest, AnyHistoryIsThatOfAMap) {
  constexpr uint64_t kKeys = 3000;
  std::mt19937_64 random(1);
  auto slot = std::make_unique<RowSlot>(NewSlot());
  RowModel model(rule_.get(), &format_, Uniform());
  std::vector<std::pair<Fragments, std::string>> snapshots;
  for (int round = 0; round < 120; ++round) {
    const Push push = RandomPush(&random, 1 + random() % 300, kKeys);
    std::map<uint64_t, std::vector<float>> gradients;
    for (size_t i = 0; i < push.keys.size(); ++i) {
      const auto begin = push.values.begin() + static_cast<int>(i * kDim);
      gradients[push.keys[i]].assign(begin, begin + kDim);
    }
    slot->Update({push.gradients()}, Rate(0.05));
    model.Update(gradients, 0.05f);
    if (round % 10 == 3) {
      std::vector<uint64_t> erased;
      for (int i = 0; i < 200; ++i) erased.push_back(random() % kKeys);
      const size_t before = model.size();
      for (const uint64_t key : erased) model.Erase(key);
      EXPECT_THAT(slot->Erase(erased), IsOkAndHolds(before - model.size()));
    }
    if (round % 10 == 5) snapshots.emplace_back(slot->Snapshot().memory, Bytes(slot->Snapshot().memory));
    if (round % 30 == 29) {  // moves to another shard
      auto restored = std::make_unique<RowSlot>(NewSlot());
      SYNCLINE_ASSERT_OK(restored->Restore(slot->version(), slot->Snapshot().memory));
      slot = std::move(restored);
    }
    ASSERT_EQ(slot->rows(), model.size());
    ASSERT_EQ(slot->version(), static_cast<uint64_t>(round + 1));
  }
  for (const auto& [rows, then] : snapshots) EXPECT_EQ(Bytes(rows), then);
  std::vector<uint64_t> keys(slot->rows());
  for (size_t row = 0; row < keys.size(); ++row) keys[row] = RowFormat::Key(slot->At(row));
  std::vector<uint32_t> numbers(keys.size());
  slot->Find(keys, numbers.data());
  for (size_t row = 0; row < keys.size(); ++row) ASSERT_EQ(numbers[row], row);
  keys.resize(kKeys + 50);
  for (size_t key = 0; key < keys.size(); ++key) keys[key] = key;
  std::vector<float> read(keys.size() * kDim);
  slot->Read(keys, read.data());
  for (const uint64_t key : keys) {
    const auto begin = read.begin() + static_cast<int>(key * kDim);
    ASSERT_EQ(std::vector<float>(begin, begin + kDim), model.Read(key)) << key;
  }
}

TEST_P(RowSlotTest, OrderAndSlotsChangeNoBit) {
  constexpr uint64_t kKeys = 2000;
  constexpr uint32_t kSlots = 7;
  std::mt19937_64 random(2);
  RowSlot one = NewSlot();
  std::vector<std::unique_ptr<RowSlot>> many;
  for (uint32_t s = 0; s < kSlots; ++s) many.push_back(std::make_unique<RowSlot>(NewSlot()));
  for (int round = 0; round < 20; ++round) {
    const Push first = RandomPush(&random, 400, kKeys), second = RandomPush(&random, 300, kKeys);
    one.Update({first.gradients(0.25f), second.gradients(0.75f)}, Rate(0.05));
    for (uint32_t s = 0; s < kSlots; ++s) {
      Push parts[2];
      for (int p = 0; p < 2; ++p) {  // back to front
        const Push& whole = p == 0 ? first : second;
        for (size_t i = whole.keys.size(); i-- > 0;) {
          if (SlotOfKey(whole.keys[i], kSlots) != s) continue;
          parts[p].keys.push_back(whole.keys[i]);
          for (size_t k = 0; k < kDim; ++k) parts[p].values.push_back(whole.values[i * kDim + k]);
        }
        parts[p].Seal();
      }
      many[s]->Update({parts[0].gradients(0.25f), parts[1].gradients(0.75f)}, Rate(0.05));
    }
  }
  for (uint64_t key = 0; key < kKeys; ++key) {
    std::vector<float> a(kDim), b(kDim);
    one.Read({key}, a.data());
    many[SlotOfKey(key, kSlots)]->Read({key}, b.data());
    ASSERT_EQ(a, b) << key;
  }
}

TEST_P(RowSlotTest, WhatChangedSinceBringsACopyUpToDate) {
  std::mt19937_64 random(3);
  RowSlot slot = NewSlot(), copy = NewSlot();
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 3; ++i)
      slot.Update({RandomPush(&random, 100, 1000).gradients()}, Rate(0.1));
    std::string changed;
    for (size_t row = 0; row < slot.rows(); ++row) {
      if (RowFormat::ChangedAfter(copy.version(), slot.At(row))) changed.append(slot.At(row), format_.stride());
    }
    EXPECT_LE(changed.size(), 300 * format_.stride());
    SYNCLINE_ASSERT_OK(copy.Merge(slot.version(), Fragments::Of(changed.data(), changed.size())));
    EXPECT_EQ(copy.version(), slot.version());
  }
  EXPECT_EQ(Bytes(copy.Snapshot().memory).size(), Bytes(slot.Snapshot().memory).size());
  for (uint64_t key = 0; key < 1000; ++key) {
    std::vector<float> a(kDim), b(kDim);
    slot.Read({key}, a.data());
    copy.Read({key}, b.data());
    ASSERT_EQ(a, b) << key;
  }
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const char* rule :
       {"sgd", "momentum", "adagrad", "adam", "ftrl", "row_wise_adagrad", "exact_adam"}) {
    cases.push_back({rule, StoredAs::kFloat32});
  }
  for (const auto storage : {StoredAs::kFloat16, StoredAs::kBfloat16, StoredAs::kInt8}) {
    cases.push_back({"adagrad", storage});
    cases.push_back({"exact_adam", storage});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Rules, RowSlotTest, testing::ValuesIn(Cases()));

class OneRowSlotTest : public testing::Test {
 protected:
  const std::unique_ptr<const RowRule> rule_ = Lazy<Sgd>(0.0f);
  const RowFormat format_{2, StoredAs::kFloat32, *rule_};
  RowSlot slot_{format_, rule_.get(), InitialRows()};
};

TEST_F(OneRowSlotTest, ScalesThenClamps) {
  const std::vector<uint64_t> keys = {0, ~uint64_t{0}};
  const std::vector<float> values = {2, -8, 20, 1};
  const Fragments gradients = Fragments::Of(values.data(), values.size() * sizeof(float));
  UpdateSettings settings = Rate(1);
  settings.gradient_scale = 0.5f;
  settings.clip_value = 3;
  slot_.Update({{keys, &gradients, 1}}, settings);
  std::vector<float> read(4);
  slot_.Read(keys, read.data());
  EXPECT_EQ(read, std::vector<float>({-1, 3, -3, -0.5f}));
}

TEST_F(OneRowSlotTest, LookingStoresNothing) {
  std::vector<float> read(4);
  slot_.Read({5, 5}, read.data());
  EXPECT_EQ(slot_.rows(), 0u);
  uint32_t number;
  slot_.Find({5}, &number);
  EXPECT_EQ(number, RowIndex::kNoRow);
  slot_.Update({}, Rate(1));
  EXPECT_EQ(slot_.rows(), 0u);
  EXPECT_EQ(slot_.version(), 1u);
}

TEST_F(OneRowSlotTest, KeysThatAreNotAdmittedChangeNothing) {
  AdmissionPolicy policy;
  policy.min_count = 2;
  RowSlot slot(format_, rule_.get(), InitialRows(), policy);
  const std::vector<uint64_t> known = {1, 4};
  const std::vector<uint64_t> keys = {0, 1, 2, 3, 4};
  const std::vector<float> values = {1, 1, 2, 2, 3, 3, 4, 4, 5, 5};
  const Fragments two = Fragments::Of(values.data(), 4 * sizeof(float));
  const Fragments five = Fragments::Of(values.data(), 10 * sizeof(float));
  slot.Update({{known, &two, 1}}, Rate(1));
  EXPECT_EQ(slot.rows(), 0u);
  slot.Update({{keys, &five, 1}}, Rate(1));
  EXPECT_EQ(slot.rows(), 2u);
  std::vector<float> read(10);
  slot.Read(keys, read.data());
  EXPECT_EQ(read, std::vector<float>({0, 0, -2, -2, 0, 0, 0, 0, -5, -5}));

  RowSlot restored(format_, rule_.get(), InitialRows(), policy);
  SYNCLINE_ASSERT_OK(restored.Restore(slot.version(), slot.Snapshot().memory));
  SYNCLINE_ASSERT_OK(restored.RestoreAdmission(slot.AdmissionState()));
  restored.Update({{keys, &five, 1}}, Rate(1));
  EXPECT_EQ(restored.rows(), 5u);
  EXPECT_EQ(slot.counters().admitted, 2u);
  EXPECT_EQ(slot.counters().refused, 5u);
  EXPECT_THAT(slot.Erase({1, 2}), IsOkAndHolds(1u));
  EXPECT_EQ(slot.counters().erased, 1u);
  EXPECT_EQ(slot.erased()->Since(1), std::vector<uint64_t>({1}));
  EXPECT_EQ(restored.erased()->Since(1), std::nullopt) << "what was erased before it was restored is not known";
}

TEST_F(OneRowSlotTest, RowsThatAreNoneAreRefused) {
  std::string row(format_.stride(), 1);
  const auto rows = [](const std::string& bytes) {
    return Fragments::Of(bytes.data(), bytes.size());
  };
  SYNCLINE_ASSERT_OK(slot_.Restore(4, rows(row)));
  EXPECT_EQ(slot_.version(), 4u);
  EXPECT_THAT(slot_.Restore(9, rows(row + "x")).message(),
              HasSubstr("no multiple of the 24 of a row"));
  EXPECT_THAT(slot_.Restore(9, rows(row + row)).message(), HasSubstr("a key comes twice"));
  std::string never = row;
  RowFormat::SetUpdates(0, never.data());
  EXPECT_THAT(slot_.Merge(9, rows(never)).message(), HasSubstr("had no update"));
  EXPECT_EQ(slot_.version(), 4u);
  EXPECT_EQ(Bytes(slot_.Snapshot().memory), row);
}

TEST_F(OneRowSlotTest, SnapshotsAreReadWhileRowsChange) {
  std::vector<uint64_t> keys(3000);
  for (size_t key = 0; key < keys.size(); ++key) keys[key] = key;
  const std::vector<float> values(keys.size() * 2, 1.0f);
  const Fragments gradients = Fragments::Of(values.data(), values.size() * sizeof(float));
  slot_.Update({{keys, &gradients, 1}}, Rate(1));
  for (uint32_t round = 1; round <= 20; ++round) {
    std::thread reader([rows = slot_.Snapshot().memory, round] {
      const std::string bytes = Bytes(rows);
      for (size_t row = 0; row < bytes.size(); row += 24) {
        ASSERT_EQ(RowFormat::Updates(bytes.data() + row), round);
      }
    });
    slot_.Update({{keys, &gradients, 1}}, Rate(1));
    reader.join();
  }
}

}  // namespace
}  // namespace syncline
