#ifndef SYNCLINE_SERVER_STORE_TABLE_MEMORY_H_
#define SYNCLINE_SERVER_STORE_TABLE_MEMORY_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "server/store/cold_pages.h"

namespace syncline {

// What all tables of a shard may take of memory and what they do, together. Thread-safe.
struct TableMemory {
  TableMemory() = default;
  // How often evictions have failed so far, and why this one did.
  using EvictionFailed = std::function<void(uint64_t times, const absl::Status& error)>;

  // Above `limit` bytes rows go to `store`. `eviction_failed`, if any, is called on any thread, under a slot's lock.
  TableMemory(uint64_t limit, std::shared_ptr<ColdPages> store, EvictionFailed eviction_failed = nullptr)
      : limit(limit), store(std::move(store)), eviction_failed(std::move(eviction_failed)) {}

  void NoteFailedEviction(const absl::Status& error) {
    const uint64_t times = ++failed_evictions;
    if (eviction_failed) eviction_failed(times, error);
  }
  bool Over() const { return store != nullptr && bytes.load(std::memory_order_relaxed) > static_cast<int64_t>(limit); }

  const uint64_t limit = 0;
  const std::shared_ptr<ColdPages> store;  // null: there is no limit
  const EvictionFailed eviction_failed = nullptr;
  std::atomic<int64_t> bytes{0};           // of rows in memory, indexes and marks
  std::atomic<int64_t> rows{0};
  std::atomic<int64_t> cold_rows{0};     // of them
  std::atomic<uint64_t> asked{0};        // rows that pulls and pushes named
  std::atomic<uint64_t> fetched{0};      // of them, that were cold
  std::atomic<uint64_t> failed_writes{0};     // of pages that then stayed
  std::atomic<uint64_t> failed_evictions{0};  // of a slot, as rows of it could not be read
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_TABLE_MEMORY_H_
