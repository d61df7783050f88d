#include "server/durability/checkpoint_folders.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/status/status_macros.h"
#include "server/durability/checkpoint_manifest.h"
#include "server/durability/checkpoint_names.h"
#include "spdlog/spdlog.h"

namespace syncline {
namespace {

absl::Status CreateFolderDurably(FileSystem& files, const std::string& path) {
  const std::string parent = ParentFolder(path);
  if (files.Exists(path)) return absl::OkStatus();
  if (parent != path) SYNCLINE_RETURN_IF_ERROR(CreateFolderDurably(files, parent));
  SYNCLINE_RETURN_IF_ERROR(files.CreateFolder(path));
  return files.SyncFolder(parent);
}

// A step may come twice: in bounded and async a slow worker can hold the lowest clock where it is
// while the others train on. The older one stays whole, under another name, until the newer has its
// place.
absl::Status GiveName(FileSystem& files, const std::string& partial, const std::string& folder) {
  const std::string replaced = folder + kReplaced;
  if (files.Exists(folder)) {
    SYNCLINE_RETURN_IF_ERROR(files.RemoveFolder(replaced));
    SYNCLINE_RETURN_IF_ERROR(files.Rename(folder, replaced));
  }
  SYNCLINE_RETURN_IF_ERROR(files.Rename(partial, folder));
  return files.SyncFolder(ParentFolder(folder));
}

// Loses its name first, so that no name ever stands for half a checkpoint.
absl::Status Remove(FileSystem& files, const std::string& folder) {
  const std::string partial = folder + kPartial;
  SYNCLINE_RETURN_IF_ERROR(files.RemoveFolder(partial));
  SYNCLINE_RETURN_IF_ERROR(files.Rename(folder, partial));
  SYNCLINE_RETURN_IF_ERROR(files.SyncFolder(ParentFolder(folder)));
  return files.RemoveFolder(partial);
}

// Removes all but the newest `keep` up to `step`, and what is left of attempts before it. Those
// beyond `step` are another run's: not ours to delete.
absl::Status RemoveOld(FileSystem& files, const std::string& directory, uint64_t step,
                       uint32_t keep) {
  SYNCLINE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(directory));
  std::vector<std::pair<uint64_t, std::string>> whole;
  for (const std::string& name : names) {
    uint64_t at = 0;
    absl::string_view suffix;
    if (!ParseCheckpointName(name, &at, &suffix) || at > step) continue;
    if (suffix.empty()) {
      whole.emplace_back(at, directory + "/" + name);
    } else {
      SYNCLINE_RETURN_IF_ERROR(files.RemoveFolder(directory + "/" + name));
    }
  }
  std::sort(whole.begin(), whole.end());
  for (size_t i = 0; i + std::max<size_t>(keep, 1) < whole.size(); ++i) {
    SYNCLINE_RETURN_IF_ERROR(Remove(files, whole[i].second));
  }
  return absl::OkStatus();
}

}  // namespace

std::string CheckpointFolder(const std::string& directory, uint64_t step) {
  return directory + "/" + CheckpointName(step);
}

std::string PartialCheckpointFolder(const std::string& directory, uint64_t step) {
  return CheckpointFolder(directory, step) + kPartial;
}

absl::Status BeginCheckpoint(FileSystem& files, const std::string& directory, uint64_t step) {
  const std::string folder = PartialCheckpointFolder(directory, step);
  SYNCLINE_RETURN_IF_ERROR(Naming(directory, CreateFolderDurably(files, directory)));
  SYNCLINE_RETURN_IF_ERROR(Naming(folder, files.RemoveFolder(folder)));
  return Naming(folder, files.CreateFolder(folder));
}

absl::StatusOr<std::string> CommitCheckpoint(FileSystem& files, const std::string& directory,
                                             const CheckpointManifest& manifest, uint32_t keep) {
  const std::string partial = PartialCheckpointFolder(directory, manifest.step());
  const std::string folder = CheckpointFolder(directory, manifest.step());
  SYNCLINE_RETURN_IF_ERROR(
      Naming(partial + "/" + kManifestFile, WriteCheckpointManifest(files, partial, manifest)));
  SYNCLINE_RETURN_IF_ERROR(Naming(folder, GiveName(files, partial, folder)));
  // The checkpoint is durable: too many old ones beside it are no reason to call it failed.
  if (const absl::Status status = RemoveOld(files, directory, manifest.step(), keep);
      !status.ok()) {
    spdlog::warn("old checkpoints in {} are left: {}", directory, std::string(status.message()));
  }
  return folder;
}

}  // namespace syncline
