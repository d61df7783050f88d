#include "common/io/checksum.h"

#include <string>

#include "gtest/gtest.h"

namespace syncline {
namespace {

// Figures of RFC 3720, appendix B.4, and the customary check value.
TEST(ChecksumTest, KnownFigures) {
  EXPECT_EQ(Crc32c("", 0), 0u);
  EXPECT_EQ(Crc32c("123456789", 9), 0xe3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0').data(), 32), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff').data(), 32), 0x62a8ab43u);
}

TEST(ChecksumTest, GoesOnWhereItStopped) {
  const std::string text = "the quick brown fox jumps over the lazy dog";
  const uint32_t whole = Crc32c(text.data(), text.size());
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    const uint32_t first = Crc32c(text.data(), cut);
    EXPECT_EQ(Crc32c(text.data() + cut, text.size() - cut, first), whole) << cut;
  }
}

}  // namespace
}  // namespace syncline
