#include "common/io/file_sum.h"

#include "common/io/checksum.h"
#include "common/io/fault_file_system.h"
#include "common/status/status_matchers.h"

namespace syncline {
namespace {

TEST(FileSumTest, IsThatOfAllBytes) {
  FaultFileSystem files;
  SYNCLINE_ASSERT_OK(files.CreateFolder("/x"));
  for (const size_t size : {0, 1, 1000, 256 << 10, (256 << 10) + 1, 700000}) {
    std::string bytes;
    for (size_t i = 0; i < size; ++i) bytes.push_back(static_cast<char>(i * i >> 3));
    SYNCLINE_ASSERT_OK(WriteFileAtomically(files, "/x/f", bytes));
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const FileSum sum, SumUp(files, "/x/f"));
    EXPECT_EQ(sum.bytes, size);
    EXPECT_EQ(sum.crc32c, Crc32c(bytes.data(), bytes.size()));
  }
  EXPECT_THAT(SumUp(files, "/x/none"), StatusIs(absl::StatusCode::kNotFound, testing::HasSubstr("/x/none")));
}

}  // namespace
}  // namespace syncline
