#include "common/memory/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "absl/base/attributes.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using ::testing::HasSubstr;

std::shared_ptr<SharedMemory> Make(size_t bytes) {
  auto made = SharedMemory::Create(bytes);
  SYNCLINE_EXPECT_OK(made.status());
  return *made;
}

TEST(SharedMemoryTest, BothMappingsSeeTheSameBytes) {
  const auto mine = Make(10000);
  EXPECT_EQ(mine->data()[9999], 0);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto theirs, SharedMemory::Adopt(dup(mine->fd())));
  ASSERT_EQ(theirs->size(), 10000u);
  ASSERT_NE(theirs->data(), mine->data());
  mine->data()[9999] = 'a';
  EXPECT_EQ(theirs->data()[9999], 'a');
  theirs->data()[0] = 'b';
  EXPECT_EQ(mine->data()[0], 'b');
}

TEST(SharedMemoryTest, TheSizeCannotBeChangedUnderAReader) {
  const auto memory = Make(8192);
  EXPECT_NE(ftruncate(memory->fd(), 4096), 0);
  EXPECT_NE(ftruncate(memory->fd(), 16384), 0);
}

TEST(SharedMemoryTest, AdoptRefusesWhatCouldShrink) {
  const int unsealed = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  ASSERT_EQ(ftruncate(unsealed, 4096), 0);
  EXPECT_THAT(SharedMemory::Adopt(unsealed).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("sealed")));
  EXPECT_EQ(fcntl(unsealed, F_GETFD), -1) << "the descriptor leaks";
  const int no_memory = open("/dev/null", O_RDWR);
  EXPECT_THAT(SharedMemory::Adopt(no_memory).status(),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

// Under ThreadSanitizer each write goes to pages of its own records too, whose faults are not meant.
ABSL_ATTRIBUTE_NO_SANITIZE_THREAD ABSL_ATTRIBUTE_NO_SANITIZE_ADDRESS void WriteTo(char* data) { *data = 'b'; }

TEST(SharedMemoryTest, TouchedBytesCostNoFaultAPage) {
  constexpr size_t kPages = 600, kPage = 4096;
  const auto mine = Make(kPages * kPage);
  std::fill_n(mine->data(), mine->size(), 'a');
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto theirs, SharedMemory::Adopt(dup(mine->fd())));
  const auto faults = [] {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
  };
  theirs->Touch(kPage, (kPages - 1) * kPage);
  theirs->Touch(mine->size(), 0);
  const auto before = faults();
  for (size_t page = 1; page < kPages; ++page) WriteTo(theirs->data() + page * kPage);
  EXPECT_LT(faults() - before, kPages / 4);
  EXPECT_EQ(mine->data()[kPage - 1], 'a') << "nothing is changed";
}

TEST(SharedMemoryTest, OffsetsAreWithinTheBlock) {
  const auto memory = Make(4096);
  EXPECT_EQ(memory->OffsetOf(memory->data(), 4096), 0u);
  EXPECT_EQ(memory->OffsetOf(memory->data() + 96, 4000), 96u);
  EXPECT_EQ(memory->OffsetOf(memory->data() + 97, 4000), std::nullopt);
  EXPECT_EQ(memory->OffsetOf(memory->data() - 1, 1), std::nullopt);
  EXPECT_EQ(memory->OffsetOf(memory->data(), 4097), std::nullopt);
  EXPECT_EQ(memory->OffsetOf(memory->data() + 4096, 0), 4096u);

  EXPECT_EQ(memory->At(96, 4000), memory->data() + 96);
  EXPECT_EQ(memory->At(97, 4000), nullptr);
  EXPECT_EQ(memory->At(~uint64_t{0}, 2), nullptr);
  EXPECT_EQ(memory->At(0, ~size_t{0}), nullptr);
}

TEST(SharedMemoryTest, NothingToShareIsAnError) {
  EXPECT_THAT(SharedMemory::Create(0).status(), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(SharedMemory::Create(~size_t{0} >> 1).status(),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

}  // namespace
}  // namespace syncline
