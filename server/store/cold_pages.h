#ifndef SYNCLINE_SERVER_STORE_COLD_PAGES_H_
#define SYNCLINE_SERVER_STORE_COLD_PAGES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace syncline {

// Where pages of rows go that do not fit into memory (a file: server/spill). What is written never changes, until its
// place is freed.
//
// Thread-safe. Write and Read block.
class ColdPages {
 public:
  // A part of a page.
  struct Part {
    uint64_t place;
    size_t offset;
    size_t size;
    char* to;
  };

  struct Counters {
    uint64_t bytes = 0;              // of pages that are there
    uint64_t written = 0, read = 0;  // bytes
    uint64_t writes = 0, reads = 0;  // accesses that took
  };

  virtual ~ColdPages() = default;

  // Writes pages of `bytes` each, and says where; all of them, or none and an error.
  virtual absl::Status Write(absl::Span<const char* const> pages, size_t bytes, uint64_t* places) = 0;
  // Reads all parts, many at a time; an error says that some could not be.
  virtual absl::Status Read(absl::Span<const Part> parts) = 0;
  virtual void Free(uint64_t place, size_t bytes) = 0;
  virtual Counters counters() const = 0;
};

// A page that was written, for as long as somebody refers to it.
class ColdPage {
 public:
  ColdPage(std::shared_ptr<ColdPages> pages, uint64_t place, size_t bytes)
      : pages_(std::move(pages)), place_(place), bytes_(bytes) {}
  ~ColdPage() { pages_->Free(place_, bytes_); }
  ColdPage(const ColdPage&) = delete;

  uint64_t place() const { return place_; }

 private:
  const std::shared_ptr<ColdPages> pages_;
  const uint64_t place_;
  const size_t bytes_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_COLD_PAGES_H_
