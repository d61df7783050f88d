#ifndef SYNCLINE_WORKER_DATA_DATASET_FACTORY_H_
#define SYNCLINE_WORKER_DATA_DATASET_FACTORY_H_

#include <memory>

#include "absl/status/statusor.h"
#include "proto/job.pb.h"
#include "worker/data/dataset.h"

namespace syncline {

struct TrainingData {
  std::shared_ptr<const Dataset> train;
  // Null if nothing is held out.
  std::shared_ptr<const Dataset> test;
};

// Loads the data of a job (complete, as LoadManifest() returns it) into memory, or a file (data.shuffle_buffer). All
// workers get the same samples under the same numbers. Errors name the file, or the field to change.
absl::StatusOr<TrainingData> LoadTrainingData(const JobManifest& job);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_DATASET_FACTORY_H_
