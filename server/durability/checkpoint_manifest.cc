#include "server/durability/checkpoint_manifest.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/cluster/shard_map.h"
#include "common/io/checksum.h"
#include "common/status/status_macros.h"
#include "google/protobuf/util/json_util.h"
#include "server/durability/checkpoint_names.h"

namespace syncline {
namespace {

// A file that the checkpoint must have.
absl::StatusOr<std::string> ReadPart(FileSystem& files, const std::string& path) {
  auto bytes = ReadFile(files, path);
  if (bytes.status().code() == absl::StatusCode::kNotFound) return DamagedCheckpoint(path, "is missing");
  if (!bytes.ok()) return Naming(path, bytes.status());
  return bytes;
}

absl::Status CheckManifest(const std::string& path, const CheckpointManifest& manifest) {
  if (manifest.format() < kOldestCheckpointFormat || manifest.format() > kCheckpointFormat) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": format: ", manifest.format(), "; this program reads ", kOldestCheckpointFormat, " to ",
                     kCheckpointFormat, " (docs/checkpoint_format.md)"));
  }
  if (const absl::Status status = ValidateShardMap(manifest.map()); !status.ok()) {
    return DamagedCheckpoint(path, std::string(status.message()));
  }
  return absl::OkStatus();
}

std::string SumOf(const std::string& json) { return absl::StrFormat("%08x", Crc32c(json.data(), json.size())); }

}  // namespace

absl::Status WriteCheckpointManifest(FileSystem& files, const std::string& folder,
                                     const CheckpointManifest& manifest) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  if (const auto status = google::protobuf::util::MessageToJsonString(manifest, &json, options);
      !status.ok()) {
    return absl::InternalError(absl::StrCat(kManifestFile, ": ", status.ToString()));
  }
  SYNCLINE_RETURN_IF_ERROR(WriteFileAtomically(files, folder + "/" + kManifestSumFile, SumOf(json) + "\n"));
  return WriteFileAtomically(files, folder + "/" + kManifestFile, json);
}

absl::StatusOr<CheckpointManifest> ReadCheckpointManifest(FileSystem& files, const std::string& folder) {
  const std::string path = folder + "/" + kManifestFile;
  if (!files.Exists(folder)) {
    return absl::NotFoundError(absl::StrCat(folder, ": no such checkpoint"));
  }
  SYNCLINE_ASSIGN_OR_RETURN(const std::string json, ReadPart(files, path));
  SYNCLINE_ASSIGN_OR_RETURN(const std::string sum, ReadPart(files, folder + "/" + kManifestSumFile));
  if (absl::StripAsciiWhitespace(sum) != SumOf(json)) {
    return DamagedCheckpoint(path, absl::StrCat("its checksum is not the one in ", kManifestSumFile));
  }
  CheckpointManifest manifest;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &manifest);
  if (!status.ok()) return DamagedCheckpoint(path, status.ToString());
  SYNCLINE_RETURN_IF_ERROR(CheckManifest(path, manifest));
  return manifest;
}

absl::Status DamagedCheckpoint(const std::string& path, const std::string& how) {
  return absl::DataLossError(
      absl::StrCat(path, ": ", how, "; the checkpoint is damaged, restore another one"));
}

}  // namespace syncline
