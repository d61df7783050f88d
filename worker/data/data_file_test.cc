#include "worker/data/data_file.h"

#include "common/status/status_matchers.h"
#include "worker/data/test_files.h"

namespace syncline {
namespace {

using ::testing::HasSubstr;

TEST(DataFileTest, ReadsPlainAndGzipped) {
  EXPECT_THAT(ReadDataFile(TestFile("plain", "abc")), IsOkAndHolds("abc"));
  const std::string large(300000, 'x');
  EXPECT_THAT(ReadDataFile(TestFile("a.gz", Gzipped(large))), IsOkAndHolds(large));
  EXPECT_THAT(ReadDataFile(TestFile("b.gz", Gzipped("one ") + Gzipped("two"))),
              IsOkAndHolds("one two"));
}

TEST(DataFileTest, ExactlyOneBuffer) {
  const std::string exact(1 << 16, 'x');
  EXPECT_THAT(ReadDataFile(TestFile("c.gz", Gzipped(exact))), IsOkAndHolds(exact));
}

TEST(DataFileTest, RefusesWhatIsNoGoodFile) {
  EXPECT_THAT(ReadDataFile("/nowhere/x"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(ReadDataFile(TestFile("empty", "")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("empty: the file is empty")));
  const std::string packed = Gzipped("some text to pack");
  for (size_t size = 2; size < packed.size(); ++size) {
    EXPECT_THAT(ReadDataFile(TestFile("cut.gz", packed.substr(0, size))),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("ends too early")))
        << size;
  }
  std::string damaged = packed;
  damaged[damaged.size() - 6] ^= 1;  // the checksum
  EXPECT_THAT(ReadDataFile(TestFile("damaged.gz", damaged)),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("is damaged")));
}

}  // namespace
}  // namespace syncline
