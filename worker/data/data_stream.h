#ifndef SYNCLINE_WORKER_DATA_DATA_STREAM_H_
#define SYNCLINE_WORKER_DATA_DATA_STREAM_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace syncline {

// The bytes of a file from its start, unpacked where it is gzip or zstd (by its first bytes, whatever its name). Not
// thread-safe.
class DataStream {
 public:
  virtual ~DataStream() = default;

  // Writes the next `count` bytes to `to`; fewer only where they end, 0 from then on. Errors name the file: a packed
  // one that ends too early or is damaged.
  virtual absl::StatusOr<size_t> Read(size_t count, char* to) = 0;
};

// Errors name the file: not there, or not readable.
absl::StatusOr<std::unique_ptr<DataStream>> OpenDataStream(const std::string& path);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_DATA_STREAM_H_
