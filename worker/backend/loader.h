#ifndef SYNCLINE_WORKER_BACKEND_LOADER_H_
#define SYNCLINE_WORKER_BACKEND_LOADER_H_

#include <string>

#include "worker/backend/backend.h"

namespace syncline {

struct LoaderOptions {
  // auto (a CUDA device if there is one, else the CPU), cpu, cuda (device 0) or cuda:N.
  std::string device = "auto";
  // Folder that holds libsyncline_cuda.so. Empty: $SYNCLINE_BACKEND_DIR, else the folder of this
  // program, then worker/backend/cuda in its runfiles.
  std::string directory;
  // Which CUDA device `auto` takes, counted on from 0 past the last: so that processes of one host take different ones.
  int place = 0;
};

struct LoadedBackend {
  const Backend* backend = nullptr;  // lives as long as the process
  int ordinal = 0;                   // for BackendOptions
  std::string note;                  // why `auto` took the CPU; else empty. For the log
};

// Finds the backend of a device. False: *error says what was asked for, what is there and what to
// do; e.g. "cuda:1 was asked for, but this machine has 1 CUDA device; accepted: cpu, cuda:0".
// `auto` never fails. Loads each library once. Thread-safe. Uses only C++'s library, as all of
// worker/backend; worker/model/open_device.h gives an absl::StatusOr<Device>.
bool LoadBackend(const LoaderOptions& options, LoadedBackend* loaded, std::string* error);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_BACKEND_LOADER_H_
