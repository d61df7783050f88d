#ifndef SYNCLINE_COMMON_IO_FILE_SUM_H_
#define SYNCLINE_COMMON_IO_FILE_SUM_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/io/file_system.h"

namespace syncline {

struct FileSum {
  uint64_t bytes = 0;
  uint32_t crc32c = 0;
};

// Reads a file once, front to back, and works out its checksum. Blocks. Errors name the path.
absl::StatusOr<FileSum> SumUp(FileSystem& files, const std::string& path);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_IO_FILE_SUM_H_
