#ifndef SYNCLINE_TESTS_INTEGRATION_PIPELINE_JOB_H_
#define SYNCLINE_TESTS_INTEGRATION_PIPELINE_JOB_H_

#include <cstdint>

#include "tests/integration/in_process_cluster.h"

namespace syncline {

// Four layers that learn, in ten; the last step of an epoch has 2 samples, fewer than micro-batches.
inline JobManifest PipelineJob(uint32_t replicas, uint32_t stages) {
  JobManifest job = SmallJob(20, 32, 98);
  Model* const model = job.mutable_model();
  model->clear_layers();
  for (int i = 0; i < 3; ++i) {
    model->add_layers()->mutable_linear()->set_units(32);
    model->add_layers()->mutable_gelu();
    model->add_layers()->mutable_dropout()->set_rate(0.2);
  }
  model->add_layers()->mutable_linear()->set_units(1);
  job.set_batch_size(16 / replicas);
  job.set_workers(replicas * stages);
  job.set_shards(2);
  job.mutable_pipeline()->set_stages(stages);
  job.mutable_pipeline()->set_micro_batches(4);
  return job;
}

}  // namespace syncline

#endif  // SYNCLINE_TESTS_INTEGRATION_PIPELINE_JOB_H_
