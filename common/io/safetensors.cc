#include "common/io/safetensors.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/io/checksum.h"
#include "common/io/safetensors_header.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

// As in the reference implementation.
constexpr uint64_t kMaxHeaderBytes = 100 * 1000 * 1000;
constexpr size_t kSizeBytes = 8;

std::string LittleEndian(uint64_t value) {
  std::string bytes(kSizeBytes, '\0');
  for (size_t i = 0; i < kSizeBytes; ++i) bytes[i] = static_cast<char>(value >> (8 * i));
  return bytes;
}

uint64_t FromLittleEndian(const char* bytes) {
  uint64_t value = 0;
  for (size_t i = kSizeBytes; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

absl::Status InFile(const std::string& path, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(std::unique_ptr<WritableFile> file,
                                     std::vector<SafetensorsTensor> tensors, uint64_t data_bytes)
    : file_(std::move(file)), tensors_(std::move(tensors)), missing_(data_bytes) {}

absl::StatusOr<std::unique_ptr<SafetensorsWriter>> SafetensorsWriter::Create(
    FileSystem& files, const std::string& path, std::vector<SafetensorsTensor> tensors,
    const SafetensorsMetadata& metadata) {
  SYNCLINE_ASSIGN_OR_RETURN(const uint64_t data_bytes, PlaceTensors(&tensors));
  const std::string header = SafetensorsHeader(tensors, metadata);
  SYNCLINE_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, files.Create(path));
  std::unique_ptr<SafetensorsWriter> writer(
      new SafetensorsWriter(std::move(file), std::move(tensors), data_bytes));
  SYNCLINE_RETURN_IF_ERROR(writer->Write(LittleEndian(header.size())));
  SYNCLINE_RETURN_IF_ERROR(writer->Write(header));
  return writer;
}

absl::Status SafetensorsWriter::Append(absl::string_view bytes) {
  if (bytes.size() > missing_) {
    return absl::FailedPreconditionError(
        absl::StrCat("safetensors: ", bytes.size() - missing_, " bytes more than the header says"));
  }
  missing_ -= bytes.size();
  return Write(bytes);
}

absl::StatusOr<SafetensorsWriter::Written> SafetensorsWriter::Finish() {
  if (missing_ > 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("safetensors: ", missing_, " bytes less than the header says"));
  }
  SYNCLINE_RETURN_IF_ERROR(file_->Sync());
  SYNCLINE_RETURN_IF_ERROR(file_->Close());
  return written_;
}

absl::Status SafetensorsWriter::Write(absl::string_view bytes) {
  SYNCLINE_RETURN_IF_ERROR(file_->Append(bytes));
  written_.bytes += bytes.size();
  written_.crc32c = Crc32c(bytes.data(), bytes.size(), written_.crc32c);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<SafetensorsReader>> SafetensorsReader::Open(
    FileSystem& files, const std::string& path) {
  SYNCLINE_ASSIGN_OR_RETURN(std::unique_ptr<ReadableFile> file, files.Open(path));
  std::unique_ptr<SafetensorsReader> reader(new SafetensorsReader(std::move(file), path));
  SYNCLINE_RETURN_IF_ERROR(InFile(path, reader->ReadHeader()));
  return reader;
}

absl::Status SafetensorsReader::ReadHeader() {
  char size_bytes[kSizeBytes];
  if (file_->size() < kSizeBytes) return absl::InvalidArgumentError("too short for safetensors");
  SYNCLINE_RETURN_IF_ERROR(file_->Read(0, kSizeBytes, size_bytes));
  const uint64_t size = FromLittleEndian(size_bytes);
  if (size > kMaxHeaderBytes || size > file_->size() - kSizeBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("not safetensors: a header of ", size, " bytes is announced"));
  }
  std::string header(size, '\0');
  SYNCLINE_RETURN_IF_ERROR(file_->Read(kSizeBytes, size, header.data()));
  data_begin_ = kSizeBytes + size;
  return ParseSafetensorsHeader(header, file_->size() - data_begin_, &tensors_, &metadata_);
}

const SafetensorsTensor* SafetensorsReader::Find(absl::string_view name) const {
  for (const SafetensorsTensor& tensor : tensors_) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

absl::Status SafetensorsReader::Read(const SafetensorsTensor& tensor, uint64_t offset, size_t count,
                                     char* to) const {
  if (offset > tensor.bytes() || count > tensor.bytes() - offset) {
    return absl::OutOfRangeError(absl::StrCat(path_, ": tensor ", tensor.name, " has ",
                                              tensor.bytes(), " bytes; asked for [", offset, ", +",
                                              count, ")"));
  }
  return file_->Read(data_begin_ + tensor.begin + offset, count, to);
}

}  // namespace syncline
