#ifndef SYNCLINE_WORKER_MODEL_OPEN_DEVICE_H_
#define SYNCLINE_WORKER_MODEL_OPEN_DEVICE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "worker/model/device.h"

namespace syncline {

struct OpenDeviceOptions {
  std::string device = "auto";  // auto, cpu, cuda or cuda:N
  int threads = 1;              // of a CPU
  bool allow_tf32 = false;      // of a GPU: see BackendOptions
  bool allow_bf16 = false;
  std::string directory;  // of libsyncline_cuda.so; empty: the usual places
  int place = 0;          // which of a host's GPUs `auto` takes: see LoaderOptions
};

// Loads the backend of a device and opens it. With `auto`, *note (may be null) says why it is the
// CPU, if it is.
absl::StatusOr<std::unique_ptr<Device>> OpenDevice(const OpenDeviceOptions& options,
                                                   std::string* note = nullptr);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_OPEN_DEVICE_H_
