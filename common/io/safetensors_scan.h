#ifndef SYNCLINE_COMMON_IO_SAFETENSORS_SCAN_H_
#define SYNCLINE_COMMON_IO_SAFETENSORS_SCAN_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "common/io/file_system.h"
#include "common/io/safetensors.h"

namespace syncline {

// Where the bytes of a tensor go: memory of tensor.bytes(), or null to pass them by.
using PlaceTensor = std::function<absl::StatusOr<char*>(const SafetensorsTensor&)>;

struct ScannedFile {
  uint64_t bytes = 0;
  uint32_t crc32c = 0;
};

// Reads a safetensors file once, front to back, and works out its checksum on the way, so that the
// caller can compare before it believes what was read. `place` is asked once for each tensor, in the
// order of their data. Blocks. Errors name the file.
absl::StatusOr<ScannedFile> ScanSafetensors(FileSystem& files, const std::string& path,
                                            const PlaceTensor& place);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_IO_SAFETENSORS_SCAN_H_
