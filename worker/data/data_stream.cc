#include "worker/data/data_stream.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/io/posix_file_system.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

constexpr size_t kPiece = 1 << 18;

// A file as it lies on the disk.
class PlainStream : public DataStream {
 public:
  explicit PlainStream(std::unique_ptr<ReadableFile> file) : file_(std::move(file)) {}

  absl::StatusOr<size_t> Read(size_t count, char* to) override {
    count = static_cast<size_t>(std::min<uint64_t>(count, file_->size() - at_));
    SYNCLINE_RETURN_IF_ERROR(file_->Read(at_, count, to));
    at_ += count;
    return count;
  }

 private:
  const std::unique_ptr<ReadableFile> file_;
  uint64_t at_ = 0;
};

// What packed streams share: the packed bytes, a piece at a time.
class PackedStream : public DataStream {
 public:
  PackedStream(std::string path, absl::string_view kind, std::unique_ptr<DataStream> packed)
      : path_(std::move(path)), kind_(kind), packed_(std::move(packed)), piece_(kPiece, '\0') {}

  absl::StatusOr<size_t> Read(size_t count, char* to) final {
    size_t made = 0;
    while (made < count && !ended_) {
      if (left_ == 0) {
        SYNCLINE_ASSIGN_OR_RETURN(left_, packed_->Read(piece_.size(), piece_.data()));
        next_ = piece_.data();
      }
      if (left_ == 0 && between_) {
        ended_ = true;
        break;
      }
      const size_t given = left_;
      SYNCLINE_ASSIGN_OR_RETURN(const size_t more, Unpack(count - made, to + made));
      taken_ += given - left_;
      made += more;
      if (given == 0 && more == 0 && !between_) return Damaged(absl::StrCat("ends too early, after ", taken_, " bytes"));
    }
    return made;
  }

 protected:
  // Takes bytes from next_, left_ of them, and makes up to `room` at `to`. Sets between_ to whether a part of the file
  // that could be its last has ended.
  virtual absl::StatusOr<size_t> Unpack(size_t room, char* to) = 0;

  absl::Status Damaged(absl::string_view what) const {
    return absl::DataLossError(
        absl::StrCat(path_, ": the ", kind_, " file ", what, "; fetch or write it again"));
  }
  absl::Status IsDamaged() const { return Damaged(absl::StrCat("is damaged, not far after byte ", taken_)); }

  char* next_ = nullptr;
  size_t left_ = 0;
  bool between_ = false;

 private:
  const std::string path_;
  const absl::string_view kind_;
  const std::unique_ptr<DataStream> packed_;
  std::string piece_;
  uint64_t taken_ = 0;
  bool ended_ = false;
};

// All members of a gzip file.
class GzipStream : public PackedStream {
 public:
  GzipStream(std::string path, std::unique_ptr<DataStream> packed)
      : PackedStream(std::move(path), "gzip", std::move(packed)) {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    good_ = inflateInit2(&stream_, kGzipOnly) == Z_OK;
  }
  ~GzipStream() override { inflateEnd(&stream_); }

 protected:
  absl::StatusOr<size_t> Unpack(size_t room, char* to) override {
    if (!good_) return absl::ResourceExhaustedError("no memory for zlib");
    if (between_ && inflateReset(&stream_) != Z_OK) return IsDamaged();
    room = std::min<size_t>(room, 1 << 30);  // zlib counts in 32 bits
    stream_.next_in = reinterpret_cast<Bytef*>(next_);
    stream_.avail_in = static_cast<uInt>(left_);
    stream_.next_out = reinterpret_cast<Bytef*>(to);
    stream_.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream_, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) return IsDamaged();
    between_ = result == Z_STREAM_END;
    next_ += left_ - stream_.avail_in;
    left_ = stream_.avail_in;
    return room - stream_.avail_out;
  }

 private:
  z_stream stream_ = {};
  bool good_ = false;
};

// All frames of a zstd file.
class ZstdStream : public PackedStream {
 public:
  ZstdStream(std::string path, std::unique_ptr<DataStream> packed)
      : PackedStream(std::move(path), "zstd", std::move(packed)), stream_(ZSTD_createDStream()) {}
  ~ZstdStream() override { ZSTD_freeDStream(stream_); }

 protected:
  absl::StatusOr<size_t> Unpack(size_t room, char* to) override {
    if (stream_ == nullptr) return absl::ResourceExhaustedError("no memory for zstd");
    ZSTD_inBuffer in = {next_, left_, 0};
    ZSTD_outBuffer out = {to, room, 0};
    const size_t result = ZSTD_decompressStream(stream_, &out, &in);
    if (ZSTD_isError(result)) return IsDamaged();
    between_ = result == 0;
    next_ += in.pos;
    left_ -= in.pos;
    return out.pos;
  }

 private:
  ZSTD_DStream* const stream_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DataStream>> OpenDataStream(const std::string& path) {
  SYNCLINE_ASSIGN_OR_RETURN(std::unique_ptr<ReadableFile> file, PosixFileSystem().Open(path));
  char head[4] = {};
  SYNCLINE_RETURN_IF_ERROR(file->Read(0, static_cast<size_t>(std::min<uint64_t>(sizeof(head), file->size())), head));
  const absl::string_view magic(head, sizeof(head));
  auto plain = std::make_unique<PlainStream>(std::move(file));
  if (magic.substr(0, 2) == "\x1f\x8b") return std::make_unique<GzipStream>(path, std::move(plain));
  if (magic == "\x28\xb5\x2f\xfd") return std::make_unique<ZstdStream>(path, std::move(plain));
  return plain;
}

}  // namespace syncline
