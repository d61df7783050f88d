#ifndef SYNCLINE_WORKER_DATA_DATA_FILE_H_
#define SYNCLINE_WORKER_DATA_DATA_FILE_H_

#include <string>

#include "absl/status/statusor.h"

namespace syncline {

// The whole of a file, unpacked if it is gzip (by its first bytes, whatever its name). Errors name
// the file: not there, empty, a gzip file that ends too early or is damaged.
absl::StatusOr<std::string> ReadDataFile(const std::string& path);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_DATA_FILE_H_
