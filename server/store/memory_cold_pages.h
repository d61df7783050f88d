#ifndef SYNCLINE_SERVER_STORE_MEMORY_COLD_PAGES_H_
#define SYNCLINE_SERVER_STORE_MEMORY_COLD_PAGES_H_

#include <cstring>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/store/cold_pages.h"

namespace syncline {

// Cold pages in memory that fail on command, for tests.
class MemoryColdPages final : public ColdPages {
 public:
  void FailWrites(absl::Status error) {
    absl::MutexLock lock(&mu_);
    write_error_ = std::move(error);
  }
  void FailReads(absl::Status error) {
    absl::MutexLock lock(&mu_);
    read_error_ = std::move(error);
  }
  // The `nth` read from now on, counted from 1, and no other.
  void FailOneRead(uint64_t nth, absl::Status error) {
    absl::MutexLock lock(&mu_);
    failing_ = nth;
    one_error_ = std::move(error);
  }
  size_t pages() const {
    absl::MutexLock lock(&mu_);
    return pages_.size();
  }
  Counters counters() const override {
    absl::MutexLock lock(&mu_);
    return {0, 0, 0, next_, reads_};
  }

  absl::Status Write(absl::Span<const char* const> pages, size_t bytes, uint64_t* places) override {
    absl::MutexLock lock(&mu_);
    if (!write_error_.ok()) return write_error_;
    for (const char* page : pages) {
      pages_[next_].assign(page, bytes);
      *places++ = next_++;
    }
    return absl::OkStatus();
  }
  absl::Status Read(absl::Span<const Part> parts) override {
    absl::MutexLock lock(&mu_);
    if (!read_error_.ok()) return read_error_;
    if (failing_ > 0 && --failing_ == 0) return one_error_;
    reads_ += parts.size();
    for (const Part& part : parts) std::memcpy(part.to, pages_.at(part.place).data() + part.offset, part.size);
    return absl::OkStatus();
  }
  // What is freed is not to be looked at any more: it is overwritten before it goes.
  void Free(uint64_t place, size_t bytes) override {
    absl::MutexLock lock(&mu_);
    std::string& page = pages_.at(place);
    if (page.size() != bytes) std::abort();
    page.assign(bytes, '\xee');
    pages_.erase(place);
  }

 private:
  mutable absl::Mutex mu_;
  std::map<uint64_t, std::string> pages_ ABSL_GUARDED_BY(mu_);
  uint64_t next_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t reads_ ABSL_GUARDED_BY(mu_) = 0;  // parts
  absl::Status write_error_ ABSL_GUARDED_BY(mu_);
  absl::Status read_error_ ABSL_GUARDED_BY(mu_);
  uint64_t failing_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status one_error_ ABSL_GUARDED_BY(mu_);
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_MEMORY_COLD_PAGES_H_
