#ifndef SYNCLINE_WORKER_PIPELINE_LAYER_TIMES_H_
#define SYNCLINE_WORKER_PIPELINE_LAYER_TIMES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "proto/job.pb.h"
#include "worker/model/device.h"

namespace syncline {

// Seconds that each layer of a model takes, forward and backward, for a batch of `rows`: the least of a few
// tries. One layer at a time, so that no more memory is needed than the largest takes.
absl::StatusOr<std::vector<double>> MeasureLayers(const Model& model, const Device* device, int rows);

// Where the layers of a job go, as "0-3, 4-7": as it says, or else such that stages take equally long on `device`.
absl::StatusOr<std::string> PlaceLayers(const JobManifest& job, const Device* device);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_PIPELINE_LAYER_TIMES_H_
