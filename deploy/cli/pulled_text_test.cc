#include "deploy/cli/pulled_text.h"

#include <limits>

#include "common/hash/feature_key.h"
#include "common/status/status_matchers.h"

namespace syncline {
namespace {

using testing::HasSubstr;

TEST(PulledTextTest, KeysAreNumbersOrCategories) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto keys, ParseKeys("7,18446744073709551615,origin=SFO,C1="));
  ASSERT_EQ(keys.size(), 4u);
  EXPECT_EQ(keys[0].key, 7u);
  EXPECT_EQ(keys[1].key, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(keys[2].key, FeatureKey("origin", "SFO"));
  EXPECT_EQ(keys[2].name, "origin=SFO");
  EXPECT_EQ(keys[3].key, FeatureKey("C1", ""));
}

TEST(PulledTextTest, RefusesWhatIsNoKeyOrComesTwice) {
  const auto refused = [](const char* what) { return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(what)); };
  EXPECT_THAT(ParseKeys(""), refused("\"\" is no key"));
  EXPECT_THAT(ParseKeys("1,-2"), refused("\"-2\" is no key"));
  EXPECT_THAT(ParseKeys("=a"), refused("FIELD=VALUE"));
  EXPECT_THAT(ParseKeys("1,2,01"), refused("01 comes twice"));
}

TEST(PulledTextTest, PrintsRowsAndTensors) {
  const std::vector<NamedKey> keys = {{1, "1"}, {2, "a\"b"}};
  const std::vector<float> rows = {0.5f, -1, 0.1f, std::numeric_limits<float>::infinity()};
  EXPECT_EQ(RowsText(keys, rows), "1 0.5 -1\na\"b 0.100000001 inf\n");
  EXPECT_EQ(RowsJson("t", 9, keys, rows),
            "{\"table\": \"t\", \"step\": 9, \"rows\": [\n  {\"key\": \"1\", \"row\": [0.5, -1]},\n"
            "  {\"key\": \"a\\\"b\", \"row\": [0.100000001, null]}]}\n");
  EXPECT_EQ(TensorText({2, 2}, rows), "0.5 -1\n0.100000001 inf\n");
  EXPECT_EQ(TensorText({}, {2}), "2\n");
  EXPECT_EQ(TensorJson("w", 3, {1, 2}, {1, 2}),
            "{\"tensor\": \"w\", \"step\": 3, \"shape\": [1, 2], \"values\": [1, 2]}\n");
}

}  // namespace
}  // namespace syncline
