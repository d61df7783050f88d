#include "common/tensor/huge_slab.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace syncline {

void HugeSlab::Release::operator()(char* memory) const { std::free(memory); }

HugeSlab::HugeSlab(size_t block) : block_(block) {}

HugeSlab::Page* HugeSlab::Grow() {
  char* const memory = static_cast<char*>(std::aligned_alloc(kHugePage, kHugePage));
  if (memory == nullptr) throw std::bad_alloc();
  madvise(memory, kHugePage, MADV_HUGEPAGE);  // advice: failure is harmless
  Page& page = pages_[reinterpret_cast<uintptr_t>(memory)];
  page.memory.reset(memory);
  for (size_t i = kHugePage / block_; i-- > 0;) page.free.push_back(static_cast<uint16_t>(i));
  free_ += kHugePage / block_;
  Open(&page);
  return &page;
}

void HugeSlab::Open(Page* page) {
  page->place = open_.size();
  open_.push_back(page);
}

void HugeSlab::Close(Page* page) {
  open_[page->place] = open_.back();
  open_[page->place]->place = page->place;
  open_.pop_back();
}

char* HugeSlab::Allocate() {
  absl::MutexLock lock(&mutex_);
  Page* const page = open_.empty() ? Grow() : open_.back();
  const size_t number = page->free.back();
  page->free.pop_back();
  --free_;
  if (page->free.empty()) Close(page);
  return page->memory.get() + number * block_;
}

void HugeSlab::Free(char* block) {
  const auto address = reinterpret_cast<uintptr_t>(block);
  const uintptr_t start = address & ~(kHugePage - 1);
  absl::MutexLock lock(&mutex_);
  Page& page = pages_.at(start);
  if (page.free.empty()) Open(&page);
  page.free.push_back(static_cast<uint16_t>((address - start) / block_));
  ++free_;
  const size_t blocks = kHugePage / block_;
  if (page.free.size() < blocks) {
    // Of no use to anybody, though the page is a huge one no more.
    if (free_ > pages_.size() * blocks / 8) madvise(block, block_, MADV_DONTNEED);
    return;
  }
  free_ -= blocks;
  Close(&page);
  pages_.erase(start);
}

size_t HugeSlab::pages() const {
  absl::MutexLock lock(&mutex_);
  return pages_.size();
}

}  // namespace syncline
