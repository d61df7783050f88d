#include "common/io/file_system.h"

#include "common/status/status_macros.h"

namespace syncline {

absl::StatusOr<std::string> ReadFile(FileSystem& files, const std::string& path) {
  SYNCLINE_ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> file, files.Open(path));
  std::string bytes(file->size(), '\0');
  SYNCLINE_RETURN_IF_ERROR(file->Read(0, bytes.size(), bytes.data()));
  return bytes;
}

absl::Status WriteFileAtomically(FileSystem& files, const std::string& path,
                                 absl::string_view bytes) {
  const std::string unfinished = path + ".tmp";
  SYNCLINE_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, files.Create(unfinished));
  SYNCLINE_RETURN_IF_ERROR(file->Append(bytes));
  SYNCLINE_RETURN_IF_ERROR(file->Sync());
  SYNCLINE_RETURN_IF_ERROR(file->Close());
  SYNCLINE_RETURN_IF_ERROR(files.Rename(unfinished, path));
  return files.SyncFolder(ParentFolder(path));
}

std::string ParentFolder(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace syncline
