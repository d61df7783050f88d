#ifndef SYNCLINE_COMMON_IO_SAFETENSORS_H_
#define SYNCLINE_COMMON_IO_SAFETENSORS_H_

// The safetensors format, which PyTorch, JAX and others read:
//
//   file   := SIZE header data
//   SIZE   := 8 bytes, little-endian: bytes of the header, a multiple of 8 in what we write
//   header := JSON object, padded at its end with spaces:
//               {"__metadata__": {text: text ...}, NAME: {"dtype": DTYPE, "shape": [n ...],
//                "data_offsets": [begin, end]} ...}
//   DTYPE  := "F64" "I64" "U64" "F32" "I32" "U32" "F16" "BF16" "I16" "U16" "I8" "U8" "BOOL"
//   data   := the tensors' bytes, little-endian, row-major; offsets count from its first byte, and
//             the tensors cover it without gap or overlap
//
// We write the tensors with larger elements first, then by name, so that each is aligned.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/io/file_system.h"

namespace syncline {

struct SafetensorsTensor {
  std::string name;
  std::string dtype;  // see DTYPE above
  std::vector<uint64_t> shape;
  uint64_t begin = 0;  // in data; the writer fills these in
  uint64_t end = 0;

  uint64_t bytes() const { return end - begin; }
};

using SafetensorsMetadata = std::map<std::string, std::string>;

// Writes one file, streaming. Not thread-safe.
class SafetensorsWriter {
 public:
  // Writes the header. Names are unique and not "__metadata__".
  static absl::StatusOr<std::unique_ptr<SafetensorsWriter>> Create(
      FileSystem& files, const std::string& path, std::vector<SafetensorsTensor> tensors,
      const SafetensorsMetadata& metadata);

  // The tensors in the order in which their data must come.
  const std::vector<SafetensorsTensor>& tensors() const { return tensors_; }

  // The next bytes of the data, in pieces of any size.
  absl::Status Append(absl::string_view bytes);

  struct Written {
    uint64_t bytes;   // of the file
    uint32_t crc32c;  // of all of them
  };
  // Returns when the file is on the disk (its name is not until its folder is synced). An error if
  // data is missing.
  absl::StatusOr<Written> Finish();

 private:
  SafetensorsWriter(std::unique_ptr<WritableFile> file, std::vector<SafetensorsTensor> tensors,
                    uint64_t data_bytes);
  absl::Status Write(absl::string_view bytes);

  const std::unique_ptr<WritableFile> file_;
  const std::vector<SafetensorsTensor> tensors_;
  uint64_t missing_;  // bytes of data still to come
  Written written_ = {0, 0};
};

// Reads one file. Thread-safe. Everything in the header is checked before anything is believed.
class SafetensorsReader {
 public:
  static absl::StatusOr<std::unique_ptr<SafetensorsReader>> Open(FileSystem& files,
                                                                 const std::string& path);

  // By their place in the data.
  const std::vector<SafetensorsTensor>& tensors() const { return tensors_; }
  const SafetensorsMetadata& metadata() const { return metadata_; }
  // Null if there is none of this name.
  const SafetensorsTensor* Find(absl::string_view name) const;

  // Reads `count` bytes of a tensor of this file, from its byte `offset`, into `to`.
  absl::Status Read(const SafetensorsTensor& tensor, uint64_t offset, size_t count, char* to) const;

 private:
  SafetensorsReader(std::unique_ptr<ReadableFile> file, std::string path)
      : file_(std::move(file)), path_(std::move(path)) {}
  absl::Status ReadHeader();

  const std::unique_ptr<ReadableFile> file_;
  const std::string path_;
  uint64_t data_begin_ = 0;
  std::vector<SafetensorsTensor> tensors_;
  SafetensorsMetadata metadata_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_IO_SAFETENSORS_H_
