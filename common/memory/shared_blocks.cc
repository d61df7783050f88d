#include "common/memory/shared_blocks.h"

#include <algorithm>
#include <string>

#include "spdlog/spdlog.h"

namespace syncline {

std::shared_ptr<void> SharedBlocks::Allocate(size_t bytes) {
  if (!wanted_) return nullptr;
  const auto block = SharedMemory::Create(bytes);
  if (!block.ok()) {
    spdlog::warn("tensors go through the network: {}", std::string(block.status().message()));
    return nullptr;
  }
  absl::MutexLock lock(&mu_);
  blocks_.erase(
      std::remove_if(blocks_.begin(), blocks_.end(), [](const auto& b) { return b.expired(); }),
      blocks_.end());
  blocks_.push_back(*block);
  return std::shared_ptr<void>(*block, (*block)->data());
}

std::vector<std::shared_ptr<SharedMemory>> SharedBlocks::blocks() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::shared_ptr<SharedMemory>> used;
  for (const auto& block : blocks_) {
    if (auto b = block.lock()) used.push_back(std::move(b));
  }
  return used;
}

}  // namespace syncline
