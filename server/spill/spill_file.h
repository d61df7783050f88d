#ifndef SYNCLINE_SERVER_SPILL_SPILL_FILE_H_
#define SYNCLINE_SERVER_SPILL_SPILL_FILE_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/threads/thread_pool.h"
#include "server/store/cold_pages.h"

namespace syncline {

// Cold pages in a file without a name: it goes with the process, and holds nothing that anybody would need after it.
// Past the system's cache where the file system knows how (O_DIRECT), so that memory is what was asked for.
// Many parts are read at a time, each by a thread of its own.
class SpillFile final : public ColdPages {
 public:
  // In `folder`, which is made if it is not there. Errors name the folder.
  static absl::StatusOr<std::shared_ptr<SpillFile>> Create(const std::string& folder);
  ~SpillFile() override;

  absl::Status Write(absl::Span<const char* const> pages, size_t bytes, uint64_t* places) override;
  absl::Status Read(absl::Span<const Part> parts) override;
  void Free(uint64_t place, size_t bytes) override;

  Counters counters() const override;
  // Of the file.
  uint64_t size() const;

 private:
  // Parts that lie close together, so that one read has them.
  struct Run {
    uint64_t begin = 0, end = 0;
    size_t first = 0, last = 0;  // of the sorted parts
  };

  enum class Access { kRead, kWrite };

  SpillFile(std::string folder, int file);
  absl::Status WriteRun(const char* const* pages, size_t count, size_t bytes, uint64_t place);
  absl::Status ReadRun(const Run& run, const Part* const* parts);
  absl::Status Failed(Access access, uint64_t at, int error) const;

  const std::string folder_;
  const int file_;
  ThreadPool readers_;
  mutable absl::Mutex mu_;
  uint64_t end_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t used_ ABSL_GUARDED_BY(mu_) = 0;
  // By size; pages of a table have one.
  std::map<size_t, std::vector<uint64_t>> free_ ABSL_GUARDED_BY(mu_);
  std::atomic<uint64_t> written_{0}, read_{0}, writes_{0}, reads_{0};
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SPILL_SPILL_FILE_H_
