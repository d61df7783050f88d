#include "server/store/row_admission.h"

#include <string>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

AdmissionPolicy After(uint32_t min_count, size_t counters = 1 << 12) {
  AdmissionPolicy policy;
  policy.min_count = min_count;
  policy.counters = counters;
  return policy;
}

std::string Bytes(const Fragments& state) { return std::string(state.pieces()[0].data, state.size()); }
std::string Counted(const Fragments& state) { return Bytes(state).substr(state.size() - 8); }

TEST(KeyAdmissionTest, EveryKeyAtOnceUnlessTold) {
  KeyAdmission admission{AdmissionPolicy{}};
  for (uint64_t key = 0; key < 100; ++key) EXPECT_TRUE(admission.Admit(key));
  EXPECT_EQ(admission.refused(), 0u);
  EXPECT_TRUE(admission.State().empty());
}

TEST(KeyAdmissionTest, AtTheMinCountthPush) {
  KeyAdmission admission(After(4));
  for (uint64_t key = 0; key < 50; ++key) {
    for (int push = 1; push <= 3; ++push) EXPECT_FALSE(admission.Admit(key)) << key << ' ' << push;
    EXPECT_TRUE(admission.Admit(key)) << key;
  }
  EXPECT_EQ(admission.refused(), 150u);
}

TEST(KeyAdmissionTest, NeverLateAndSeldomEarlyWhenManyWait) {
  constexpr uint64_t kKeys = 2000;
  KeyAdmission admission(After(3, 1 << 15));
  int early = 0;
  for (int push = 1; push <= 3; ++push) {
    for (uint64_t key = 0; key < kKeys; ++key) {
      const bool admitted = admission.Admit(key);
      early += push < 3 && admitted;
      if (push == 3) {
        EXPECT_TRUE(admitted) << key;
      }
    }
  }
  EXPECT_LT(early, 50);
}

TEST(KeyAdmissionTest, KeysThatComeOnceDoNotFillTheCountersForEver) {
  KeyAdmission admission(After(5, 1024));
  for (uint64_t key = 0; key < 200000; ++key) admission.Admit(key);
  // Were nothing forgotten all later ones would be let in.
  int admitted = 0;
  for (uint64_t key = 1000000; key < 1001000; ++key) admitted += admission.Admit(key);
  EXPECT_LT(admitted, 50);
}

TEST(KeyAdmissionTest, AShareOfTheKeysAlwaysTheSame) {
  AdmissionPolicy policy;
  policy.probability = 0.3;
  KeyAdmission one(policy), other(policy);
  int admitted = 0;
  for (uint64_t key = 0; key < 10000; ++key) {
    const bool in = one.Admit(key);
    EXPECT_EQ(in, other.Admit(key));
    EXPECT_EQ(in, one.Admit(key));
    admitted += in;
  }
  EXPECT_NEAR(admitted, 3000, 5 * 46);
}

TEST(KeyAdmissionTest, CountsTravel) {
  KeyAdmission first(After(3)), second(After(3)), other(After(3, 1 << 14));
  for (uint64_t key = 0; key < 500; ++key) first.Admit(key), first.Admit(key % 100);
  SYNCLINE_ASSERT_OK(second.Restore(first.State()));
  const Fragments before = second.State();
  EXPECT_EQ(Bytes(before), Bytes(first.State()));
  for (uint64_t key = 0; key < 1000; ++key) EXPECT_EQ(first.Admit(key), second.Admit(key)) << key;
  EXPECT_THAT(other.Restore(first.State()).message(), testing::HasSubstr("min_count and counters"));
  SYNCLINE_EXPECT_OK(KeyAdmission(AdmissionPolicy{}).Restore(Fragments()));
  EXPECT_NE(Bytes(second.State()), Bytes(before)) << "what was shown stays as it was";
  EXPECT_NE(Counted(second.State()), Counted(before));
}

}  // namespace
}  // namespace syncline
