#include "worker/allreduce/device_rendezvous.h"

#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(WhyNoGroupTest, DevicesOfOneHostFormOne) {
  EXPECT_EQ(WhyNoGroup({{"a", "host", "slot 0", ""}, {"b", "host", "slot 1", ""}}), "");
}

TEST(WhyNoGroupTest, OneProcessSumsNothing) {
  EXPECT_EQ(WhyNoGroup({{"a", "host", "slot 0", ""}}), "there is one process");
}

TEST(WhyNoGroupTest, WhoCannotIsNamed) {
  EXPECT_EQ(WhyNoGroup({{"a", "host", "slot 0", ""}, {"b", "host", "", "computes on a CPU"}}), "b computes on a CPU");
}

TEST(WhyNoGroupTest, HostsAreTooFarApart) {
  EXPECT_EQ(WhyNoGroup({{"a", "host", "slot 0", ""}, {"b", "other", "slot 1", ""}}), "b and a are on two hosts");
  EXPECT_EQ(WhyNoGroup({{"a", "", "slot 0", ""}, {"b", "", "slot 1", ""}}), "a can't tell which host it is on");
}

TEST(WhyNoGroupTest, TwoOnOneDeviceAreTold) {
  EXPECT_EQ(WhyNoGroup({{"a", "host", "slot 0", ""}, {"b", "host", "slot 1", ""}, {"c", "host", "slot 0", ""}}),
            "c and a compute on one device (slot 0): give each its own with --device");
}

}  // namespace
}  // namespace syncline
