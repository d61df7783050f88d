#include "worker/backend/loader.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string ErrorOf(const LoaderOptions& options) {
  LoadedBackend loaded;
  std::string error;
  EXPECT_FALSE(LoadBackend(options, &loaded, &error));
  return error;
}

TEST(LoaderTest, CpuIsAlwaysThere) {
  LoadedBackend loaded;
  std::string error;
  ASSERT_TRUE(LoadBackend({"cpu", ""}, &loaded, &error)) << error;
  EXPECT_STREQ(loaded.backend->name, "cpu");
  EXPECT_EQ(loaded.backend->version, kBackendVersion);
}

TEST(LoaderTest, AutoFallsBackToTheCpuAndSaysWhy) {
  LoadedBackend loaded;
  std::string error;
  ASSERT_TRUE(LoadBackend({"auto", "/nowhere"}, &loaded, &error));
  EXPECT_STREQ(loaded.backend->name, "cpu");
  EXPECT_THAT(loaded.note, HasSubstr("/nowhere/libsyncline_cuda.so"));
}

TEST(LoaderTest, MissingLibraryIsNamed) {
  EXPECT_THAT(ErrorOf({"cuda:0", "/nowhere"}),
              AllOf(HasSubstr("cuda:0 was asked for"), HasSubstr("/nowhere"), HasSubstr("cpu")));
}

TEST(LoaderTest, UnknownDevicesAreRefused) {
  for (const char* device :
       {"", "gpu", "cuda:", "cuda:-1", "cuda:x", "cuda:1234567890123", "CPU"}) {
    EXPECT_THAT(ErrorOf({device, ""}), HasSubstr("accepted: auto, cpu, cuda, cuda:N")) << device;
  }
}

TEST(LoaderTest, DeviceBeyondTheLastIsRefused) {
  LoadedBackend loaded;
  std::string error;
  if (!LoadBackend({"cuda:0", ""}, &loaded, &error)) GTEST_SKIP() << "SKIPPED: no CUDA device";
  EXPECT_THAT(ErrorOf({"cuda:999", ""}),
              AllOf(HasSubstr("cuda:999 was asked for"), HasSubstr("accepted: cpu, cuda:0")));
}

}  // namespace
}  // namespace syncline
