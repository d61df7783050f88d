#ifndef SYNCLINE_WORKER_DATA_DATA_FILE_H_
#define SYNCLINE_WORKER_DATA_DATA_FILE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/data/table_text.h"

namespace syncline {

// The whole of a file, unpacked if it is gzip or zstd (by its first bytes, whatever its name). Errors name
// the file: not there, empty, a packed file that ends too early or is damaged.
absl::StatusOr<std::string> ReadDataFile(const std::string& path);

// The file of this name, or else the files that fit it as a pattern of the shell, as in day_*.zst, in the order of
// their names. kNotFound: none.
absl::StatusOr<std::vector<std::string>> DataFiles(const std::string& pattern);

// Calls `visit` at each line of such a file that is not empty, in order, until it fails. Holds a block of the file at
// a time. Errors as ReadDataFile.
absl::Status ForEachLine(const std::string& path, const std::function<absl::Status(const LineReader&)>& visit);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_DATA_FILE_H_
