#include "worker/client/lent_pool.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "spdlog/spdlog.h"

namespace syncline {
namespace {

constexpr size_t kSmallest = size_t{1} << 20;

}  // namespace

// Blocks that nobody uses, by size.
struct LentPool::Idle {
  absl::Mutex mu;
  std::multimap<size_t, std::shared_ptr<SharedMemory>> blocks ABSL_GUARDED_BY(mu);
};

LentPool::LentPool(Lend lend) : lend_(std::move(lend)), idle_(std::make_shared<Idle>()) {}

std::shared_ptr<void> LentPool::Take(size_t bytes) {
  std::shared_ptr<SharedMemory> block;
  {
    absl::MutexLock lock(&idle_->mu);
    const auto found = idle_->blocks.lower_bound(bytes);
    if (found != idle_->blocks.end()) {
      block = std::move(found->second);
      idle_->blocks.erase(found);
    }
  }
  if (block == nullptr) {
    size_t size = kSmallest;
    while (size < bytes) size *= 2;
    auto made = SharedMemory::Create(size);
    if (!made.ok()) {
      spdlog::warn("rows go through the network: {}", std::string(made.status().message()));
      return nullptr;
    }
    block = *std::move(made);
    lend_(block);
  }
  char* const data = block->data();
  return std::shared_ptr<void>(data, [idle = idle_, block = std::move(block)](void*) {
    absl::MutexLock lock(&idle->mu);
    idle->blocks.emplace(block->size(), block);
  });
}

}  // namespace syncline
