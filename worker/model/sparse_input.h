#ifndef SYNCLINE_WORKER_MODEL_SPARSE_INPUT_H_
#define SYNCLINE_WORKER_MODEL_SPARSE_INPUT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/job.pb.h"
#include "worker/model/device.h"
#include "worker/model/key_index.h"

namespace syncline {

// What lies between the rows of a job's tables and a network: the rows of a batch's different keys become features,
// and the gradient of these becomes that of the rows.
//
//   input->Begin(rows, keys);
//   for (size_t t = 0; t < input->tables(); ++t) Pull(t, input->keys(t), input->rows(t));
//   SYNCLINE_ASSIGN_OR_RETURN(batch.features, input->Forward(batch.features));
//   SYNCLINE_RETURN_IF_ERROR(network->Forward(batch));
//   options.input_gradient = input->feature_gradient();
//   SYNCLINE_RETURN_IF_ERROR(network->Backward(ready, options));
//   SYNCLINE_RETURN_IF_ERROR(input->Backward());
//   for (size_t t = 0; t < input->tables(); ++t) Push(t, input->keys(t), input->gradient(t));
//
// Of one batch at a time; two of these let one batch's rows be pulled while another is computed on. A step allocates
// nothing once batches have been as large. Sums are made in the order of the batch's rows, so the same batch gives the
// same bits. Not thread-safe.
class SparseInput {
 public:
  // Gives zero-filled host memory, or null where there is none.
  using HostMemory = std::function<std::shared_ptr<void>(size_t bytes)>;
  // Of a complete job, with tables. `device` must outlive it. Batches have at most `max_rows` rows. Rows come to memory
  // that `lent` gives, which may be null.
  static absl::StatusOr<std::unique_ptr<SparseInput>> Create(const JobManifest& job, const Device* device,
                                                             int max_rows, const HostMemory& lent = nullptr);

  // Tables are numbered as in the job.
  size_t tables() const { return tables_.size(); }
  // Keys of a sample: the data's categorical fields.
  size_t fields() const { return fields_; }
  // Columns of Forward's features: the network's inputs.
  size_t width() const { return width_; }

  // Takes the keys of a batch, [rows, fields()]; kNoKey stands for none.
  void Begin(int rows, const uint64_t* keys);
  // The different keys of the batch in a table, in the order in which they first come. Valid until the next Begin.
  absl::Span<const uint64_t> keys(size_t table) const { return tables_[table].index.keys(); }
  // Host memory for their rows, [keys(table).size(), dim]. Written by the caller between Begin and Forward.
  float* rows(size_t table) { return tables_[table].rows.host.floats(); }

  // The batch's features, [rows, width()] in device memory: `dense`, which is [rows, model.input] in device memory,
  // and then what model.sparse says. Valid until the next Forward.
  absl::StatusOr<const float*> Forward(const float* dense);
  // Device memory of the same shape for their gradient.
  float* feature_gradient() { return feature_gradient_.floats(); }
  // Makes gradient() of feature_gradient(). Waits for the device.
  absl::Status Backward();
  // Host memory, [keys(table).size(), dim]: the gradient of each row. Valid until the next Backward.
  const float* gradient(size_t table) const { return tables_[table].gradient.host.floats(); }

 private:
  // Memory on both sides; the device's is empty where it is the host's.
  struct Mirror {
    DeviceMemory host, device;
    template <typename T>
    T* on_host() const {
      return static_cast<T*>(host.data());
    }
    template <typename T>
    T* on_device() const {
      return static_cast<T*>(device.data() == nullptr ? host.data() : device.data());
    }
  };
  struct TableRows {
    int dim = 0;
    KeyIndex index;
    size_t most = 0;  // different keys of a batch
    Mirror rows, gradient;  // [most, dim]
  };
  // One of model.sparse.
  struct Use {
    size_t table = 0;
    std::vector<uint32_t> fields;
    bool pooled = false;
    float scale = 1;
    bool adds = false;  // a use before it has written the table's gradient
    size_t column = 0;  // where it begins in the features
    Mirror index;       // [rows, fields]: numbers of keys
    Mirror starts;      // [different keys + 1]: of each in `places`
    Mirror places;      // [rows, fields]: where each key is
  };

  explicit SparseInput(const Device* device) : device_(device) {}
  absl::Status AddUse(const SparseFeatures& sparse, const JobManifest& job, int max_rows);
  absl::Status Allocate(int max_rows, const HostMemory& lent);
  absl::StatusOr<Mirror> NewMirror(size_t bytes, const HostMemory& lent = nullptr) const;
  absl::Status Upload(const Mirror& mirror, size_t bytes) const;
  // Sorts the places of a use by the keys that are there.
  void SortPlaces(const Use& use);

  const Device* const device_;
  size_t fields_ = 0;
  size_t dense_ = 0;
  size_t width_ = 0;
  std::vector<TableRows> tables_;
  std::vector<Use> uses_;
  int rows_ = 0;  // of the batch
  DeviceMemory features_, feature_gradient_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_SPARSE_INPUT_H_
