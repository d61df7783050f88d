#include "worker/data/sample_array.h"

#include <cstdlib>

#include "common/status/status_matchers.h"

namespace syncline {
namespace {

using testing::HasSubstr;

std::string Folder() { return std::getenv("TEST_TMPDIR"); }

TEST(SampleArrayTest, HoldsTheSameInMemoryAndInAFile) {
  for (const std::string& scratch : {std::string(), Folder()}) {
    for (const size_t count : {size_t{0}, size_t{3}, size_t{200000}}) {
      GrowingArray<uint64_t> growing(scratch);
      for (uint64_t i = 0; i < count; ++i) growing.push_back(i * i);
      EXPECT_EQ(growing.size(), count);
      SYNCLINE_ASSERT_OK_AND_ASSIGN(const SampleArray<uint64_t> array, growing.Finish());
      ASSERT_EQ(array.size(), count);
      for (uint64_t i = 0; i < count; ++i) ASSERT_EQ(array[i], i * i);
      const SampleArray<uint64_t> copy = array;
      EXPECT_EQ(copy.At(0), array.At(0));
    }
  }
}

TEST(SampleArrayTest, SaysWhereItCannotWrite) {
  GrowingArray<float> nowhere(Folder() + "/missing");
  nowhere.push_back(1);
  EXPECT_THAT(nowhere.Finish().status(), StatusIs(absl::StatusCode::kNotFound, HasSubstr("data.scratch: ")));
}

}  // namespace
}  // namespace syncline
