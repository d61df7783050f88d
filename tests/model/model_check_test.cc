#include <cstdlib>
#include <string>

#include "gtest/gtest.h"
#include "tests/model/world.h"

namespace syncline {
namespace {

// Interleavings of each case; together they are more than 100,000. Sanitizers, which look for other
// mistakes, take a twentieth.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__clang__)
constexpr uint64_t kSeeds = 600;
#else
constexpr uint64_t kSeeds = 12000;
#endif

struct Case {
  const char* name;
  WorldOptions options;
};

WorldOptions Make(SyncMode mode, uint32_t workers, int deaths, OnWorkerLoss on_loss = REDO,
                  uint32_t staleness = 0, uint32_t backup = 0) {
  WorldOptions options;
  options.mode = mode;
  options.workers = workers;
  options.deaths = deaths;
  options.on_loss = on_loss;
  options.staleness = staleness;
  options.backup_workers = backup;
  return options;
}

const Case kCases[] = {
    {"SyncTwo", Make(SYNC, 2, 0)},
    {"SyncFour", Make(SYNC, 4, 0)},
    {"SyncRedo", Make(SYNC, 3, 2)},
    {"SyncDrop", Make(SYNC, 3, 2, DROP)},
    {"SyncBackup", Make(SYNC, 3, 0, REDO, 0, 1)},
    {"BoundedZero", Make(BOUNDED, 2, 0, REDO, 0)},
    {"BoundedOne", Make(BOUNDED, 4, 1, REDO, 1)},
    {"BoundedThree", Make(BOUNDED, 3, 2, REDO, 3)},
    {"Async", Make(ASYNC, 4, 2)},
};

// One seed to replay: SYNCLINE_SEED=123 bazel test --test_env=SYNCLINE_SEED ...
const char* OnlySeed() { return std::getenv("SYNCLINE_SEED"); }

class ModelCheck : public testing::TestWithParam<Case> {};

TEST_P(ModelCheck, EveryPromiseHoldsAfterEveryEvent) {
  if (OnlySeed() != nullptr) {
    EXPECT_EQ(World(GetParam().options, std::strtoull(OnlySeed(), nullptr, 10)).Run(), "");
    return;
  }
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    ASSERT_EQ(World(GetParam().options, seed).Run(), "")
        << "replay: bazel test //tests/model:model_check_test --test_env=SYNCLINE_SEED=" << seed
        << " --test_filter=*" << GetParam().name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, ModelCheck, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

// The first failure among some seeds, or empty.
std::string FirstFailure(const WorldOptions& options) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    const std::string failure = World(options, seed).Run();
    if (!failure.empty()) return failure;
  }
  return "";
}

TEST(MutationTest, AStalenessOffByOneIsNoticed) {
  WorldOptions options = Make(BOUNDED, 3, 0, REDO, 1);
  EXPECT_EQ(FirstFailure(options), "");
  options.staleness_of_shards = 1;
  EXPECT_NE(FirstFailure(options).find("staleness 1"), std::string::npos);
}

TEST(MutationTest, AnAppliedDuplicateIsNoticed) {
  WorldOptions options = Make(ASYNC, 2, 0);
  options.apply_duplicates = true;
  EXPECT_NE(FirstFailure(options).find("was applied 2 times"), std::string::npos);
}

TEST(MutationTest, ATornStepIsNoticed) {
  WorldOptions options = Make(SYNC, 2, 2, DROP);
  EXPECT_EQ(FirstFailure(options), "");
  options.forget_commits = true;
  EXPECT_NE(FirstFailure(options), "");
}

}  // namespace
}  // namespace syncline
