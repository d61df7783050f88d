#include "common/io/safetensors_scan.h"

#include "common/io/checksum.h"
#include "common/io/fault_file_system.h"
#include "common/status/status_matchers.h"

namespace syncline {
namespace {

using ::testing::HasSubstr;

std::string WriteSample(FileSystem& files) {
  EXPECT_THAT(files.CreateFolder("/x"), IsOk());
  auto writer = SafetensorsWriter::Create(files, "/x/f", {{"a", "U8", {4}}, {"b", "U8", {3}}}, {});
  EXPECT_THAT(writer, IsOk());
  SYNCLINE_EXPECT_OK((*writer)->Append("AAAABBB"));
  EXPECT_THAT((*writer)->Finish(), IsOk());
  return *ReadFile(files, "/x/f");
}

TEST(SafetensorsScanTest, PlacesWhatIsWantedAndSumsUpAll) {
  FaultFileSystem files;
  const std::string bytes = WriteSample(files);
  char b[3];
  const PlaceTensor place = [&](const SafetensorsTensor& tensor) {
    return tensor.name == "b" ? b : nullptr;
  };
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const ScannedFile scanned, ScanSafetensors(files, "/x/f", place));
  EXPECT_EQ(std::string(b, 3), "BBB");
  EXPECT_EQ(scanned.bytes, bytes.size());
  EXPECT_EQ(scanned.crc32c, Crc32c(bytes.data(), bytes.size()));
}

TEST(SafetensorsScanTest, ErrorsNameTheFile) {
  FaultFileSystem files;
  const std::string bytes = WriteSample(files);
  const PlaceTensor none = [](const SafetensorsTensor&) { return nullptr; };
  for (size_t size = 0; size < bytes.size(); ++size) {
    SYNCLINE_ASSERT_OK(WriteFileAtomically(files, "/x/short", bytes.substr(0, size)));
    EXPECT_THAT(ScanSafetensors(files, "/x/short", none),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("/x/short: ")));
  }
  const PlaceTensor refuse = [](const SafetensorsTensor& tensor) -> absl::StatusOr<char*> {
    return absl::DataLossError(tensor.name + " is not expected");
  };
  EXPECT_THAT(ScanSafetensors(files, "/x/f", refuse),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("/x/f: a is not expected")));
}

}  // namespace
}  // namespace syncline
