#include "common/io/file_sum.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "common/io/checksum.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

// Small enough that the checksum finds in the cache what was just read.
constexpr uint64_t kBlockBytes = 256 << 10;

}  // namespace

absl::StatusOr<FileSum> SumUp(FileSystem& files, const std::string& path) {
  SYNCLINE_ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> file, files.Open(path));
  std::vector<char> block(std::min(kBlockBytes, file->size()));
  FileSum sum;
  while (sum.bytes < file->size()) {
    const uint64_t n = std::min(kBlockBytes, file->size() - sum.bytes);
    SYNCLINE_RETURN_IF_ERROR(file->Read(sum.bytes, n, block.data()));
    sum.crc32c = Crc32c(block.data(), n, sum.crc32c);
    sum.bytes += n;
  }
  return sum;
}

}  // namespace syncline
