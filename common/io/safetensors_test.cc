#include "common/io/safetensors.h"

#include <cstdlib>
#include <cstring>

#include "common/io/checksum.h"
#include "common/io/posix_file_system.h"
#include "common/status/status_matchers.h"

namespace syncline {
namespace {

using ::testing::HasSubstr;

std::string TempFile(const char* name) {
  return std::string(std::getenv("TEST_TMPDIR")) + "/" + name;
}

// Two tensors, three if counting an empty one: [1.5, -2] as F32, 7 as U64.
std::string WriteSample(const std::string& path) {
  auto writer = SafetensorsWriter::Create(
      PosixFileSystem(), path,
      {{"w", "F32", {2, 1}}, {"none", "F32", {0, 3}}, {"odd \"name\"\n", "U64", {}}},
      {{"step", "12"}});
  EXPECT_THAT(writer, IsOk());
  EXPECT_EQ((*writer)->tensors()[0].name, "odd \"name\"\n");
  const uint64_t seven = 7;
  const float w[2] = {1.5f, -2};
  SYNCLINE_EXPECT_OK((*writer)->Append({reinterpret_cast<const char*>(&seven), 8}));
  SYNCLINE_EXPECT_OK((*writer)->Append({reinterpret_cast<const char*>(w), 3}));
  SYNCLINE_EXPECT_OK((*writer)->Append({reinterpret_cast<const char*>(w) + 3, 5}));
  const auto written = (*writer)->Finish();
  EXPECT_THAT(written, IsOk());
  const std::string bytes = *ReadFile(PosixFileSystem(), path);
  EXPECT_EQ(written->bytes, bytes.size());
  EXPECT_EQ(written->crc32c, Crc32c(bytes.data(), bytes.size()));
  return bytes;
}

TEST(SafetensorsTest, ReadsBackWhatItWrote) {
  const std::string path = TempFile("a.safetensors");
  const std::string bytes = WriteSample(path);
  EXPECT_EQ(bytes[0] % 8, 0);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto reader,
                                SafetensorsReader::Open(PosixFileSystem(), path));
  EXPECT_EQ(reader->tensors().size(), 3u);
  EXPECT_EQ(reader->metadata().at("step"), "12");
  const SafetensorsTensor* w = reader->Find("w");
  ASSERT_NE(w, nullptr);
  EXPECT_EQ(w->shape, (std::vector<uint64_t>{2, 1}));
  float second;
  SYNCLINE_ASSERT_OK(reader->Read(*w, 4, 4, reinterpret_cast<char*>(&second)));
  EXPECT_EQ(second, -2);
  EXPECT_THAT(reader->Read(*w, 5, 4, reinterpret_cast<char*>(&second)),
              StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_EQ(reader->Find("v"), nullptr);
}

// An independent reader: json and struct of Python's own library, looking at every byte.
constexpr char kPython[] = R"(
import json, struct, sys
b = open(sys.argv[1], 'rb').read()
n = struct.unpack('<Q', b[:8])[0]
assert n % 8 == 0
h = json.loads(b[8:8 + n])
assert h.pop('__metadata__') == {'step': '12'}
data = b[8 + n:]
end = 0
for name, t in sorted(h.items(), key=lambda i: i[1]['data_offsets']):
    assert t['data_offsets'][0] == end, name
    end = t['data_offsets'][1]
assert end == len(data)
def get(name, form):
    begin, end = h[name]['data_offsets']
    return struct.unpack('<' + form, data[begin:end])
assert h['w']['shape'] == [2, 1] and h['w']['dtype'] == 'F32'
assert get('w', '2f') == (1.5, -2)
assert get('odd "name"\n', 'Q') == (7,)
assert h['none']['shape'] == [0, 3] and get('none', '') == ()
assert len(h) == 3
)";

TEST(SafetensorsTest, AnIndependentParserReadsTheSame) {
  const std::string path = TempFile("b.safetensors");
  WriteSample(path);
  const std::string script = TempFile("read.py");
  SYNCLINE_ASSERT_OK(WriteFileAtomically(PosixFileSystem(), script, kPython));
  EXPECT_EQ(std::system(("python3 '" + script + "' '" + path + "'").c_str()), 0);
}

TEST(SafetensorsTest, RefusesTooMuchAndTooLittleData) {
  auto writer =
      SafetensorsWriter::Create(PosixFileSystem(), TempFile("c"), {{"w", "F32", {2}}}, {});
  ASSERT_THAT(writer, IsOk());
  EXPECT_THAT((*writer)->Append("123456789"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("1 bytes more")));
  SYNCLINE_EXPECT_OK((*writer)->Append("1234"));
  EXPECT_THAT((*writer)->Finish(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("4 bytes less")));
}

TEST(SafetensorsTest, RefusesBadTensors) {
  const auto create = [](std::vector<SafetensorsTensor> tensors) {
    return SafetensorsWriter::Create(PosixFileSystem(), TempFile("d"), std::move(tensors), {});
  };
  EXPECT_THAT(create({{"w", "F33", {2}}}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(create({{"w", "F32", {2}}, {"w", "U8", {2}}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("twice")));
  EXPECT_THAT(create({{"__metadata__", "U8", {1}}}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(create({{"w", "F32", {1ull << 62, 2}}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("too large")));
}

TEST(SafetensorsTest, RefusesDamagedFiles) {
  const std::string path = TempFile("e.safetensors");
  const auto open = [&](const std::string& header, const std::string& data) {
    std::string bytes(8, '\0');
    bytes[0] = static_cast<char>(header.size());
    SYNCLINE_EXPECT_OK(WriteFileAtomically(PosixFileSystem(), path, bytes + header + data));
    return SafetensorsReader::Open(PosixFileSystem(), path);
  };
  const auto bad = [](const char* what) {
    return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(what));
  };
  const std::string good = R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  SYNCLINE_EXPECT_OK(open(good, "1234"));
  EXPECT_THAT(open(good, "123"), bad("its tensors have 4 bytes, and the file holds 3"));
  EXPECT_THAT(open(good, "12345"), bad("its tensors have 4 bytes, and the file holds 5"));
  EXPECT_THAT(open("{", ""), bad("not JSON"));
  EXPECT_THAT(open(R"({"w":1})", ""), bad("is not an object"));
  EXPECT_THAT(open(R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", "12345678"),
              bad("gap or overlaps"));
  EXPECT_THAT(open(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "1234"),
              bad("has 4 bytes, and its shape 8"));
  EXPECT_THAT(open(R"({"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", "1234"),
              bad("no whole number"));
  EXPECT_THAT(open(R"({"w":{"dtype":"F9","shape":[1],"data_offsets":[0,4]}})", "1234"),
              bad("has the type F9"));

  SYNCLINE_ASSERT_OK(WriteFileAtomically(PosixFileSystem(), path, "abc"));
  EXPECT_THAT(SafetensorsReader::Open(PosixFileSystem(), path), bad("too short"));
  SYNCLINE_ASSERT_OK(
      WriteFileAtomically(PosixFileSystem(), path, "garbage, of which there is more"));
  EXPECT_THAT(SafetensorsReader::Open(PosixFileSystem(), path), bad("e.safetensors: not safetens"));
}

}  // namespace
}  // namespace syncline
