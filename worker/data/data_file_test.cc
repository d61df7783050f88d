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

TEST(DataFileTest, ReadsZstd) {
  const std::string large = std::string(700000, 'x') + "end";
  EXPECT_THAT(ReadDataFile(TestFile("a.zst", Zstandard(large))), IsOkAndHolds(large));
  EXPECT_THAT(ReadDataFile(TestFile("b.zst", Zstandard("one ") + Zstandard("two"))), IsOkAndHolds("one two"));
  const std::string packed = Zstandard("some text to pack");
  for (size_t size = 4; size < packed.size(); ++size) {
    EXPECT_THAT(ReadDataFile(TestFile("cut.zst", packed.substr(0, size))),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("the zstd file ends too early")))
        << size;
  }
  std::string damaged = packed;
  damaged[4] ^= 0xff;  // its header
  EXPECT_THAT(ReadDataFile(TestFile("damaged.zst", damaged)), StatusIs(absl::StatusCode::kDataLoss));
}

// Lines over the ends of blocks too, whatever the file is packed with.
TEST(DataFileTest, VisitsLines) {
  std::string text;
  std::vector<std::string> lines;
  for (int i = 0; i < 4000; ++i) {
    lines.push_back(std::to_string(i) + std::string(i % 1500, 'x'));
    text += lines.back() + (i % 7 == 0 ? "\r\n" : "\n") + (i % 5 == 0 ? "\n" : "");
  }
  lines.push_back("the last one");
  text += lines.back();
  for (const std::string& bytes : {text, Gzipped(text), Zstandard(text)}) {
    std::vector<std::string> seen;
    size_t number = 0;
    SYNCLINE_ASSERT_OK(ForEachLine(TestFile("lines", bytes), [&](const LineReader& at) {
      seen.emplace_back(at.line());
      EXPECT_GT(at.number(), number);
      number = at.number();
      return absl::OkStatus();
    }));
    EXPECT_EQ(seen, lines);
    EXPECT_EQ(number, 4001u + 800);
  }
  EXPECT_THAT(ForEachLine(TestFile("none", ""), [](const LineReader&) { return absl::OkStatus(); }),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("the file is empty")));
  const absl::Status stop = absl::InvalidArgumentError("stop");
  EXPECT_EQ(ForEachLine(TestFile("one", "a\nb\n"), [&](const LineReader&) { return stop; }), stop);
}

TEST(DataFileTest, FindsFilesByPattern) {
  const std::string b = TestFile("day_2.tsv", "x"), a = TestFile("day_1.tsv", "x"), odd = TestFile("day_[.tsv", "x");
  const std::string folder = a.substr(0, a.rfind('/'));
  EXPECT_THAT(DataFiles(folder + "/day_[12]*"), IsOkAndHolds(testing::ElementsAre(a, b)));
  EXPECT_THAT(DataFiles(odd), IsOkAndHolds(testing::ElementsAre(odd)));
  EXPECT_THAT(DataFiles(folder + "/night_*"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("night_*: there is no")));
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
