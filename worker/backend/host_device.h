#ifndef SYNCLINE_WORKER_BACKEND_HOST_DEVICE_H_
#define SYNCLINE_WORKER_BACKEND_HOST_DEVICE_H_

// The part of the table that is alike for every backend which computes in host memory: devices,
// memory, copies, events. All of it is synchronous.

#include "worker/backend/backend.h"

namespace syncline {

struct BackendDevice {
  BackendOptions options;
};

// A table with everything but `name`, `describe` and the operations filled in.
Backend HostBackend();

}  // namespace syncline

#endif  // SYNCLINE_WORKER_BACKEND_HOST_DEVICE_H_
