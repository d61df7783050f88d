#include "worker/data/data_file.h"

#include <glob.h>

#include <algorithm>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/io/posix_file_system.h"
#include "common/status/status_macros.h"
#include "worker/data/data_stream.h"

namespace syncline {

absl::StatusOr<std::string> ReadDataFile(const std::string& path) {
  SYNCLINE_ASSIGN_OR_RETURN(const auto stream, OpenDataStream(path));
  std::string bytes;
  size_t made = 0, more = 1;
  while (more > 0) {
    if (made == bytes.size()) bytes.resize(std::max<size_t>(1 << 16, bytes.size() * 2));
    SYNCLINE_ASSIGN_OR_RETURN(more, stream->Read(bytes.size() - made, bytes.data() + made));
    made += more;
  }
  if (made == 0) return absl::InvalidArgumentError(absl::StrCat(path, ": the file is empty"));
  bytes.resize(made);
  return bytes;
}

absl::StatusOr<std::vector<std::string>> DataFiles(const std::string& pattern) {
  if (PosixFileSystem().Exists(pattern)) return std::vector<std::string>{pattern};
  glob_t found = {};
  const std::unique_ptr<glob_t, void (*)(glob_t*)> freeing(&found, globfree);
  const int result = glob(pattern.c_str(), GLOB_ERR, nullptr, &found);
  if (result == GLOB_NOMATCH) {
    return absl::NotFoundError(absl::StrCat(pattern, ": there is no such file, and none that fits it as a pattern"));
  }
  if (result != 0) return absl::UnavailableError(absl::StrCat(pattern, ": can't look for files there"));
  return std::vector<std::string>(found.gl_pathv, found.gl_pathv + found.gl_pathc);
}

absl::Status ForEachLine(const std::string& path, const std::function<absl::Status(const LineReader&)>& visit) {
  SYNCLINE_ASSIGN_OR_RETURN(const auto stream, OpenDataStream(path));
  constexpr size_t kBlock = 1 << 20;
  std::string block;
  size_t kept = 0, lines = 0;  // of a line whose end has not been read yet
  bool empty = true;
  while (true) {
    block.resize(kept + kBlock);
    SYNCLINE_ASSIGN_OR_RETURN(const size_t more, stream->Read(kBlock, &block[kept]));
    block.resize(kept + more);
    empty = empty && more == 0;
    const size_t end = more == 0 ? block.size() : block.rfind('\n') + 1;
    LineReader reader(absl::string_view(block).substr(0, end), lines);
    while (reader.Next()) SYNCLINE_RETURN_IF_ERROR(visit(reader));
    lines = reader.number();
    if (more == 0) break;
    block.erase(0, end);
    kept = block.size();
  }
  return empty ? absl::InvalidArgumentError(absl::StrCat(path, ": the file is empty")) : absl::OkStatus();
}

}  // namespace syncline
