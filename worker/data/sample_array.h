#ifndef SYNCLINE_WORKER_DATA_SAMPLE_ARRAY_H_
#define SYNCLINE_WORKER_DATA_SAMPLE_ARRAY_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/status/status_macros.h"
#include "worker/data/scratch_file.h"

namespace syncline {

// Numbers of samples, in memory or in a file (ScratchFile). Immutable, hence thread-safe.
template <typename T>
class SampleArray {
 public:
  SampleArray(std::vector<T> values)
      : values_(std::make_shared<const std::vector<T>>(std::move(values))),
        data_(values_->data()),
        size_(values_->size()) {}
  // `file` holds `size` of them; null if that is 0.
  SampleArray(std::shared_ptr<const MappedFile> file, size_t size)
      : file_(std::move(file)), data_(file_ ? static_cast<const T*>(file_->bytes()) : nullptr), size_(size) {}

  size_t size() const { return size_; }
  // Number i and those that follow it, of which so many are looked at as a sample has.
  const T* At(size_t i) const {
    if (file_ != nullptr) file_->Expect(data_ + i);
    return data_ + i;
  }
  const T& operator[](size_t i) const { return *At(i); }

 private:
  std::shared_ptr<const std::vector<T>> values_;
  std::shared_ptr<const MappedFile> file_;
  const T* data_;
  size_t size_;
};

// One that is being read. Not thread-safe.
template <typename T>
class GrowingArray {
 public:
  // `scratch`: the folder of the file it is kept in; empty: in memory.
  explicit GrowingArray(std::string scratch = "") : scratch_(std::move(scratch)) {}

  size_t size() const { return written_ + values_.size(); }
  void push_back(T value) {
    values_.push_back(value);
    if (!scratch_.empty() && values_.size() == kPiece) Write();
  }
  // The first error of its file, if any: what comes after it is lost.
  const absl::Status& status() const { return status_; }

  // Once.
  absl::StatusOr<SampleArray<T>> Finish() {
    if (scratch_.empty()) return SampleArray<T>(std::move(values_));
    Write();
    SYNCLINE_RETURN_IF_ERROR(status_);
    SYNCLINE_ASSIGN_OR_RETURN(auto mapped, file_->Map());
    return SampleArray<T>(std::move(mapped), written_);
  }

 private:
  static constexpr size_t kPiece = size_t{1} << 16;

  void Write() {
    if (file_ == nullptr && status_.ok()) {
      auto file = ScratchFile::Create(scratch_);
      status_ = file.status();
      if (file.ok()) file_ = *std::move(file);
    }
    if (status_.ok()) status_ = file_->Append(values_.data(), values_.size() * sizeof(T));
    written_ += values_.size();
    values_.clear();
  }

  const std::string scratch_;
  std::vector<T> values_;  // those not yet in the file
  size_t written_ = 0;
  std::unique_ptr<ScratchFile> file_;
  absl::Status status_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_SAMPLE_ARRAY_H_
