#include "common/io/safetensors_scan.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/io/checksum.h"
#include "common/io/safetensors_header.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

constexpr uint64_t kSizeBytes = 8;
// Small enough that the checksum finds in the cache what was just read.
constexpr uint64_t kBlockBytes = 256 << 10;

// Reads a file in order and sums it up.
class Scanner {
 public:
  explicit Scanner(const ReadableFile& file) : file_(file) {}

  uint64_t left() const { return file_.size() - scanned_.bytes; }
  const ScannedFile& scanned() const { return scanned_; }

  absl::Status ReadTo(char* to, uint64_t count) {
    for (uint64_t done = 0; done < count;) {
      const uint64_t n = std::min(kBlockBytes, count - done);
      SYNCLINE_RETURN_IF_ERROR(ReadBlock(to + done, n));
      done += n;
    }
    return absl::OkStatus();
  }

  absl::Status PassBy(uint64_t count) {
    scratch_.resize(kBlockBytes);
    for (; count > 0; count -= std::min(kBlockBytes, count)) {
      SYNCLINE_RETURN_IF_ERROR(ReadBlock(scratch_.data(), std::min(kBlockBytes, count)));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status ReadBlock(char* to, uint64_t count) {
    SYNCLINE_RETURN_IF_ERROR(file_.Read(scanned_.bytes, count, to));
    scanned_.bytes += count;
    scanned_.crc32c = Crc32c(to, count, scanned_.crc32c);
    return absl::OkStatus();
  }

  const ReadableFile& file_;
  std::vector<char> scratch_;
  ScannedFile scanned_;
};

absl::StatusOr<std::vector<SafetensorsTensor>> ScanHeader(Scanner& scanner) {
  unsigned char size_bytes[kSizeBytes];
  if (scanner.left() < kSizeBytes) return absl::InvalidArgumentError("too short for safetensors");
  SYNCLINE_RETURN_IF_ERROR(scanner.ReadTo(reinterpret_cast<char*>(size_bytes), kSizeBytes));
  uint64_t size = 0;
  for (size_t i = kSizeBytes; i-- > 0;) size = size << 8 | size_bytes[i];
  if (size > scanner.left()) {
    return absl::InvalidArgumentError(
        absl::StrCat("not safetensors: a header of ", size, " bytes is announced"));
  }
  std::string header(size, '\0');
  SYNCLINE_RETURN_IF_ERROR(scanner.ReadTo(header.data(), size));
  std::vector<SafetensorsTensor> tensors;
  SafetensorsMetadata metadata;
  SYNCLINE_RETURN_IF_ERROR(
      ParseSafetensorsHeader(header, scanner.left(), &tensors, &metadata));
  return tensors;
}

absl::Status ScanTensors(Scanner& scanner, const PlaceTensor& place) {
  SYNCLINE_ASSIGN_OR_RETURN(const std::vector<SafetensorsTensor> tensors, ScanHeader(scanner));
  for (const SafetensorsTensor& tensor : tensors) {
    SYNCLINE_ASSIGN_OR_RETURN(char* const to, place(tensor));
    SYNCLINE_RETURN_IF_ERROR(to == nullptr ? scanner.PassBy(tensor.bytes())
                                           : scanner.ReadTo(to, tensor.bytes()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ScannedFile> ScanSafetensors(FileSystem& files, const std::string& path,
                                            const PlaceTensor& place) {
  SYNCLINE_ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> file, files.Open(path));
  Scanner scanner(*file);
  if (const absl::Status status = ScanTensors(scanner, place); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
  }
  return scanner.scanned();
}

}  // namespace syncline
