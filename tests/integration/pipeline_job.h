#ifndef SYNCLINE_TESTS_INTEGRATION_PIPELINE_JOB_H_
#define SYNCLINE_TESTS_INTEGRATION_PIPELINE_JOB_H_

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/io/file_system.h"
#include "common/io/posix_file_system.h"
#include "common/status/status_matchers.h"
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

// A language model of two blocks, on a text that repeats itself.
inline JobManifest TransformerJob(uint32_t stages) {
  std::string text;
  for (int i = 0; i < 160; ++i) absl::StrAppend(&text, "the fox ", i % 7, " and the dog ", i % 5, ". ");
  const std::string file = absl::StrCat(FreshFolder("text"), "/text");
  SYNCLINE_EXPECT_OK(WriteFileAtomically(PosixFileSystem(), file, text));
  JobManifest job = PipelineJob(1, stages);
  Model* const model = job.mutable_model();
  model->clear_layers();
  model->set_input(16);
  model->set_loss(SOFTMAX_CROSS_ENTROPY);
  Embedding* const embedding = model->add_layers()->mutable_embedding();
  embedding->set_vocabulary(32);
  embedding->set_units(16);
  for (int block = 0; block < 2; ++block) {
    Residual* const attention = model->add_layers()->mutable_residual();
    attention->add_layers()->mutable_layer_norm();
    attention->add_layers()->mutable_attention()->set_heads(2);
    attention->add_layers()->mutable_dropout()->set_rate(0.1);
    Residual* const mlp = model->add_layers()->mutable_residual();
    mlp->add_layers()->mutable_layer_norm();
    mlp->add_layers()->mutable_linear()->set_units(32);
    mlp->add_layers()->mutable_gelu();
    mlp->add_layers()->mutable_linear()->set_units(16);
  }
  model->add_layers()->mutable_layer_norm();
  model->add_layers()->mutable_linear()->set_units(32);
  job.mutable_data()->Clear();
  job.mutable_data()->set_format(TEXT);
  job.mutable_data()->set_train(file);
  job.mutable_data()->set_test_fraction(0.1);
  job.mutable_optimizer()->set_kind(ADAM);
  job.mutable_optimizer()->set_learning_rate(0.01);
  job.set_epochs(6);
  return job;
}

}  // namespace syncline

#endif  // SYNCLINE_TESTS_INTEGRATION_PIPELINE_JOB_H_
