#include "worker/data/data_file.h"

#include <zlib.h>

#include <algorithm>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/io/posix_file_system.h"

namespace syncline {
namespace {

absl::Status Damaged(const std::string& path, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat(path, ": the gzip file ", what, "; fetch or write it again"));
}

// Unpacks all members of a gzip file.
absl::StatusOr<std::string> Unpack(const std::string& packed, const std::string& path) {
  z_stream stream = {};
  constexpr int kGzipOnly = 16 + MAX_WBITS;
  if (inflateInit2(&stream, kGzipOnly) != Z_OK) return absl::ResourceExhaustedError("zlib");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> ending(&stream, inflateEnd);

  constexpr size_t kPiece = 1 << 30;  // zlib counts in 32 bits
  std::string bytes;
  size_t taken = 0;
  size_t made = 0;
  while (true) {
    if (made == bytes.size()) bytes.resize(std::max<size_t>(1 << 16, bytes.size() * 2));
    const size_t give = std::min(packed.size() - taken, kPiece);
    const size_t room = std::min(bytes.size() - made, kPiece);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data())) + taken;
    stream.avail_in = static_cast<uInt>(give);
    stream.next_out = reinterpret_cast<Bytef*>(bytes.data()) + made;
    stream.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream, Z_NO_FLUSH);
    taken += give - stream.avail_in;
    made += room - stream.avail_out;
    if (result == Z_STREAM_END && taken == packed.size()) break;
    if (result == Z_STREAM_END) {
      if (inflateReset(&stream) != Z_OK) return Damaged(path, "is damaged");
    } else if (result == Z_BUF_ERROR ||
               (result == Z_OK && taken == packed.size() && made < bytes.size())) {
      return Damaged(path, absl::StrCat("ends too early, after ", taken, " bytes"));
    } else if (result != Z_OK) {
      return Damaged(path, absl::StrCat("is damaged before byte ", taken));
    }
  }
  bytes.resize(made);
  return bytes;
}

}  // namespace

absl::StatusOr<std::string> ReadDataFile(const std::string& path) {
  absl::StatusOr<std::string> bytes = ReadFile(PosixFileSystem(), path);
  if (bytes.ok() && bytes->size() >= 2 && (*bytes)[0] == '\x1f' && (*bytes)[1] == '\x8b') {
    bytes = Unpack(*bytes, path);
  }
  if (bytes.ok() && bytes->empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": the file is empty"));
  }
  return bytes;
}

}  // namespace syncline
