#include "worker/model/sparse_input.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config/data_columns.h"
#include "common/config/model_shape.h"
#include "common/hash/feature_key.h"
#include "common/status/status_macros.h"

namespace syncline {

absl::StatusOr<std::unique_ptr<SparseInput>> SparseInput::Create(const JobManifest& job, const Device* device,
                                                                 int max_rows, const HostMemory& lent) {
  std::unique_ptr<SparseInput> input(new SparseInput(device));
  input->fields_ = ShapeOfData(job.data()).categories;
  input->dense_ = job.model().input();
  input->width_ = input->dense_;
  for (const Table& table : job.tables()) {
    input->tables_.emplace_back();
    input->tables_.back().dim = static_cast<int>(table.dim());
  }
  for (const SparseFeatures& sparse : job.model().sparse()) {
    SYNCLINE_RETURN_IF_ERROR(input->AddUse(sparse, job, max_rows));
  }
  SYNCLINE_RETURN_IF_ERROR(input->Allocate(max_rows, lent));
  return input;
}

absl::Status SparseInput::AddUse(const SparseFeatures& sparse, const JobManifest& job, int max_rows) {
  Use use;
  const auto named = [&](const Table& table) { return table.name() == sparse.table(); };
  const auto found = std::find_if(job.tables().begin(), job.tables().end(), named);
  if (found == job.tables().end()) {
    return absl::InvalidArgumentError(absl::StrCat("model.sparse: there is no table ", sparse.table()));
  }
  use.table = static_cast<size_t>(found - job.tables().begin());
  SYNCLINE_ASSIGN_OR_RETURN(use.fields, ParseFields(sparse.fields(), static_cast<uint32_t>(fields_)));
  use.pooled = sparse.pooling() == POOLING_SUM || sparse.pooling() == POOLING_MEAN;
  if (sparse.pooling() == POOLING_MEAN) use.scale = 1.0f / static_cast<float>(use.fields.size());
  use.adds = std::any_of(uses_.begin(), uses_.end(), [&](const Use& before) { return before.table == use.table; });
  use.column = width_;
  width_ += static_cast<size_t>(RowsOf(sparse)) * tables_[use.table].dim;
  tables_[use.table].most += use.fields.size() * max_rows;
  uses_.push_back(std::move(use));
  return absl::OkStatus();
}

absl::StatusOr<SparseInput::Mirror> SparseInput::NewMirror(size_t bytes, const HostMemory& lent) const {
  Mirror mirror;
  const auto memory = lent == nullptr || bytes == 0 ? nullptr : lent(bytes);
  SYNCLINE_ASSIGN_OR_RETURN(mirror.host, DeviceMemory::AdoptOrAllocate(device_, memory, bytes));
  if (device_->host_memory()) return mirror;
  SYNCLINE_ASSIGN_OR_RETURN(mirror.device, DeviceMemory::Allocate(device_, bytes));
  return mirror;
}

absl::Status SparseInput::Allocate(int max_rows, const HostMemory& lent) {
  for (TableRows& table : tables_) {
    const size_t bytes = sizeof(float) * table.most * table.dim;
    SYNCLINE_ASSIGN_OR_RETURN(table.rows, NewMirror(bytes, lent));
    SYNCLINE_ASSIGN_OR_RETURN(table.gradient, NewMirror(bytes));
  }
  for (Use& use : uses_) {
    const size_t bytes = sizeof(int32_t) * max_rows * use.fields.size();
    SYNCLINE_ASSIGN_OR_RETURN(use.index, NewMirror(bytes));
    SYNCLINE_ASSIGN_OR_RETURN(use.places, NewMirror(bytes));
    SYNCLINE_ASSIGN_OR_RETURN(use.starts, NewMirror(sizeof(int32_t) * (tables_[use.table].most + 1)));
  }
  const size_t bytes = sizeof(float) * max_rows * width_;
  SYNCLINE_ASSIGN_OR_RETURN(features_, DeviceMemory::Allocate(device_, bytes));
  SYNCLINE_ASSIGN_OR_RETURN(feature_gradient_, DeviceMemory::Allocate(device_, bytes));
  return absl::OkStatus();
}

absl::Status SparseInput::Upload(const Mirror& mirror, size_t bytes) const {
  if (device_->host_memory()) return absl::OkStatus();
  return device_->Run(&Backend::copy, kComputeStream, mirror.device.data(), mirror.host.data(), bytes);
}

void SparseInput::Begin(int rows, const uint64_t* keys) {
  rows_ = rows;
  for (TableRows& table : tables_) table.index.Begin(table.most);
  for (Use& use : uses_) {
    KeyIndex& index = tables_[use.table].index;
    int32_t* number = use.index.on_host<int32_t>();
    for (int r = 0; r < rows; ++r) {
      const uint64_t* const of_row = keys + r * fields_;
      for (const uint32_t field : use.fields) *number++ = of_row[field] == kNoKey ? -1 : index.Add(of_row[field]);
    }
  }
}

absl::StatusOr<const float*> SparseInput::Forward(const float* dense) {
  float* const features = features_.floats();
  if (dense_ > 0) {
    SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::copy_columns, rows_, static_cast<int>(dense_), 0, dense_, dense,
                                          width_, features));
  }
  for (const TableRows& table : tables_) {
    SYNCLINE_RETURN_IF_ERROR(Upload(table.rows, sizeof(float) * table.index.keys().size() * table.dim));
  }
  for (const Use& use : uses_) {
    const TableRows& table = tables_[use.table];
    const int fields = static_cast<int>(use.fields.size());
    SYNCLINE_RETURN_IF_ERROR(Upload(use.index, sizeof(int32_t) * rows_ * fields));
    SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::look_up, rows_, fields, table.dim, static_cast<int>(use.pooled),
                                          use.scale, use.index.on_device<int32_t>(), table.rows.on_device<float>(),
                                          width_, features + use.column));
  }
  return features;
}

void SparseInput::SortPlaces(const Use& use) {
  const size_t keys = tables_[use.table].index.keys().size();
  const size_t count = rows_ * use.fields.size();
  const int32_t* const index = use.index.on_host<int32_t>();
  int32_t* const starts = use.starts.on_host<int32_t>();
  int32_t* const places = use.places.on_host<int32_t>();
  std::fill_n(starts, keys + 1, 0);
  for (size_t i = 0; i < count; ++i) {
    if (index[i] >= 0) ++starts[index[i]];
  }
  // From counts to ends, which move down to starts as places are filled from the last one.
  for (size_t key = 1; key <= keys; ++key) starts[key] += starts[key - 1];
  for (size_t i = count; i-- > 0;) {
    if (index[i] >= 0) places[--starts[index[i]]] = static_cast<int32_t>(i);
  }
}

absl::Status SparseInput::Backward() {
  for (const Use& use : uses_) {
    const TableRows& table = tables_[use.table];
    const int keys = static_cast<int>(table.index.keys().size());
    const int fields = static_cast<int>(use.fields.size());
    SortPlaces(use);
    SYNCLINE_RETURN_IF_ERROR(Upload(use.starts, sizeof(int32_t) * (keys + 1)));
    SYNCLINE_RETURN_IF_ERROR(Upload(use.places, sizeof(int32_t) * rows_ * fields));
    SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::look_up_backward, keys, fields, table.dim,
                                          static_cast<int>(use.pooled), use.scale, static_cast<int>(use.adds),
                                          use.starts.on_device<int32_t>(), use.places.on_device<int32_t>(), width_,
                                          feature_gradient_.floats() + use.column, table.gradient.on_device<float>()));
  }
  if (device_->host_memory()) return absl::OkStatus();
  for (const TableRows& table : tables_) {
    SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::copy, kComputeStream, table.gradient.host.data(),
                                          table.gradient.device.data(),
                                          sizeof(float) * table.index.keys().size() * table.dim));
  }
  return device_->Run(&Backend::synchronize);
}

}  // namespace syncline
