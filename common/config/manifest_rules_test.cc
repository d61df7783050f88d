#include "common/config/manifest_rules.h"

#include <functional>
#include <string>

#include "common/config/manifest_defaults.h"
#include "common/config/model_shape.h"
#include "common/status/status_matchers.h"

namespace syncline {
namespace {

using ::testing::StartsWith;

JobManifest GoodJob() {
  JobManifest job;
  job.set_name("job-1");
  job.mutable_model()->set_input(4);
  job.mutable_model()->add_layers()->mutable_linear()->set_units(3);
  job.mutable_data()->set_format(IDX);
  job.mutable_data()->set_train("images");
  job.mutable_data()->set_train_labels("labels");
  job.set_workers(2);
  FillManifestDefaults(&job);
  return job;
}

absl::Status Check(const JobManifest& job) {
  FieldLog log("job");
  CheckManifestRules(job, &log);
  return log.ToStatus();
}

struct Case {
  const char* error;
  std::function<void(JobManifest*)> change;
};

void ExpectErrors(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    JobManifest job = GoodJob();
    c.change(&job);
    EXPECT_THAT(Check(job), StatusIs(absl::StatusCode::kInvalidArgument,
                                     StartsWith(std::string("job: ") + c.error)));
  }
}

TEST(ManifestRulesTest, AcceptsAGoodJob) { SYNCLINE_EXPECT_OK(Check(GoodJob())); }

TEST(ManifestRulesTest, ModelOutputsAreTheLastUnits) {
  JobManifest job = GoodJob();
  job.mutable_model()->add_layers()->mutable_relu();
  EXPECT_EQ(ModelOutputs(job.model()), 3u);
  job.mutable_model()->clear_layers();
  EXPECT_EQ(ModelOutputs(job.model()), 4u);
}

TEST(ManifestRulesTest, ChecksRanges) {
  ExpectErrors({
      {"batch_size: 0 is not in [1, ", [](JobManifest* j) { j->set_batch_size(0); }},
      {"data.std: 0 is not above 0", [](JobManifest* j) { j->mutable_data()->set_std(0); }},
      {"optimizer.learning_rate: -1 is not above 0",
       [](JobManifest* j) { j->mutable_optimizer()->set_learning_rate(-1); }},
      {"optimizer.momentum: 1 is not in [0, 1)",
       [](JobManifest* j) { j->mutable_optimizer()->set_momentum(1); }},
      {"optimizer.beta1: nan is not in [0, 1)",
       [](JobManifest* j) { j->mutable_optimizer()->set_beta1(std::stod("nan")); }},
      {"model.layers[1].dropout.rate: 1.5 is not in [0, 1)",
       [](JobManifest* j) { j->mutable_model()->add_layers()->mutable_dropout()->set_rate(1.5); }},
      {"checkpoint.keep: 0 is not at least 1",
       [](JobManifest* j) { j->mutable_checkpoint()->set_keep(0); }},
      {"tables[0].eviction.max_age_seconds: -1 is not at least 0",
       [](JobManifest* j) { j->add_tables()->mutable_eviction()->set_max_age_seconds(-1); }},
  });
}

TEST(ManifestRulesTest, WeightsHaveNoErrorFeedback) {
  ExpectErrors({
      {"pull_codec: topk is for gradients only", [](JobManifest* j) { j->set_pull_codec(TOPK); }},
      {"tensor_codecs[0].pull: onebit is for gradients only",
       [](JobManifest* j) {
         TensorCodec* own = j->add_tensor_codecs();
         own->set_tensor("0.linear.weight");
         own->set_pull(ONEBIT);
       }},
      {"tensor_codecs[0].tensor: missing", [](JobManifest* j) { j->add_tensor_codecs(); }},
  });
}

TEST(ManifestRulesTest, ProductsRoundToOneFormat) {
  JobManifest job = GoodJob();
  job.set_allow_bf16(true);
  SYNCLINE_EXPECT_OK(Check(job));
  ExpectErrors({
      {"allow_bf16: true, and so is allow_tf32",
       [](JobManifest* j) {
         j->set_allow_bf16(true);
         j->set_allow_tf32(true);
       }},
  });
}

TEST(ManifestRulesTest, LocalStepsNeedSync) {
  ExpectErrors({
      {"local_steps: 0 is not in [1, 100000]", [](JobManifest* j) { j->set_local_steps(0); }},
      {"local_steps: 4 needs sync_mode sync",
       [](JobManifest* j) {
         j->set_local_steps(4);
         j->set_sync_mode(BOUNDED);
       }},
  });
}

TEST(ManifestRulesTest, AddingUpOnTheHostNeedsOneStepAndAllWorkers) {
  ExpectErrors({
      {"local_aggregation: needs local_steps 1",
       [](JobManifest* j) {
         j->set_local_aggregation(true);
         j->set_local_steps(4);
       }},
      {"local_aggregation: needs backup_workers 0",
       [](JobManifest* j) {
         j->set_local_aggregation(true);
         j->set_workers(4);
         j->set_backup_workers(1);
       }},
  });
}

TEST(ManifestRulesTest, ChecksNames) {
  ExpectErrors({
      {"name: missing", [](JobManifest* j) { j->clear_name(); }},
      {"name: \"My Job\" is not 1 to 63 of", [](JobManifest* j) { j->set_name("My Job"); }},
      {"name: ", [](JobManifest* j) { j->set_name(std::string(64, 'a')); }},
      {"device: \"gpu\" is not auto, cpu, cuda or cuda:N",
       [](JobManifest* j) { j->set_device("gpu"); }},
      {"device: ", [](JobManifest* j) { j->set_device("cuda:"); }},
      {"device: ", [](JobManifest* j) { j->set_device("cuda:-1"); }},
  });
  JobManifest job = GoodJob();
  job.set_device("cuda:7");
  SYNCLINE_EXPECT_OK(Check(job));
}

TEST(ManifestRulesTest, ChecksTheModel) {
  ExpectErrors({
      {"model.input: missing", [](JobManifest* j) { j->mutable_model()->clear_input(); }},
      {"model.layers: missing", [](JobManifest* j) { j->mutable_model()->clear_layers(); }},
      {"model.layers[0].linear.units: missing or 0",
       [](JobManifest* j) {
         j->mutable_model()->mutable_layers(0)->mutable_linear()->clear_units();
         j->mutable_model()->add_layers()->mutable_linear()->set_units(3);
       }},
      {"model.layers[1]: names no kind", [](JobManifest* j) { j->mutable_model()->add_layers(); }},
      {"model.loss: softmax_cross_entropy needs an output for each class",
       [](JobManifest* j) {
         j->mutable_model()->mutable_layers(0)->mutable_linear()->set_units(1);
       }},
      {"model.loss: logistic needs 1 output, and the last layer has 3",
       [](JobManifest* j) { j->mutable_model()->set_loss(LOGISTIC); }},
  });
}

TEST(ManifestRulesTest, ChecksDataFiles) {
  ExpectErrors({
      {"data.format: missing", [](JobManifest* j) { j->mutable_data()->clear_format(); }},
      {"data.train: missing", [](JobManifest* j) { j->mutable_data()->clear_train(); }},
      {"data.train_labels: missing",
       [](JobManifest* j) { j->mutable_data()->clear_train_labels(); }},
      {"data.test_labels: missing", [](JobManifest* j) { j->mutable_data()->set_test("t"); }},
      {"data.test: missing", [](JobManifest* j) { j->mutable_data()->set_test_labels("t"); }},
      {"data.header: is only for data.format csv",
       [](JobManifest* j) { j->mutable_data()->set_header(true); }},
      {"data.train_labels: is only for data.format idx",
       [](JobManifest* j) { j->mutable_data()->set_format(LIBSVM); }},
  });
}

TEST(ManifestRulesTest, ChecksTables) {
  const auto csv = [](JobManifest* j) -> Data* {
    j->mutable_data()->set_format(CSV);
    j->mutable_data()->clear_train_labels();
    FillManifestDefaults(j);
    return j->mutable_data();
  };
  ExpectErrors({
      {"data.separator: \"ab\" is not one", [&](JobManifest* j) { csv(j)->set_separator("ab"); }},
      {"data.separator: \"\" is not one", [&](JobManifest* j) { csv(j)->set_separator(""); }},
      {"data.separator: \"7\" is not one", [&](JobManifest* j) { csv(j)->set_separator("7"); }},
      {"data.scratch: needs data.shuffle_buffer", [&](JobManifest* j) { csv(j)->set_scratch("/var/tmp"); }},
      {"data.shuffle_buffer: is only for data.format csv, libsvm and criteo",
       [&](JobManifest* j) { j->mutable_data()->set_shuffle_buffer(7); }},
      {"data.entry_keys: is only for data.format libsvm", [&](JobManifest* j) { csv(j)->set_entry_keys(7); }},
      {"data.test_fraction: data.test is held out already",
       [&](JobManifest* j) {
         csv(j)->set_test("t");
         j->mutable_data()->set_test_fraction(0.1);
       }},
  });
  JobManifest job = GoodJob();
  csv(&job)->set_separator("\t");
  SYNCLINE_EXPECT_OK(Check(job));
}

TEST(ManifestRulesTest, ChecksRandomLinear) {
  JobManifest job = GoodJob();
  job.mutable_data()->Clear();
  job.mutable_data()->set_format(RANDOM_LINEAR);
  EXPECT_THAT(Check(job), StatusIs(absl::StatusCode::kInvalidArgument,
                                   StartsWith("job: data.samples: missing")));
  job.mutable_data()->set_samples(100);
  SYNCLINE_EXPECT_OK(Check(job));
}

TEST(ManifestRulesTest, ChecksTheCluster) {
  ExpectErrors({
      {"backup_workers: 2 is not below workers, which is 2",
       [](JobManifest* j) { j->set_backup_workers(2); }},
      {"chunk_bytes: 5000 is not a multiple of 4096; try 8192",
       [](JobManifest* j) { j->set_chunk_bytes(5000); }},
      {"checkpoint.directory: missing",
       [](JobManifest* j) { j->mutable_checkpoint()->set_interval_steps(10); }},
  });
}

TEST(ManifestRulesTest, StalenessMayStandInAnyMode) {
  JobManifest job = GoodJob();
  job.set_staleness(5);
  SYNCLINE_EXPECT_OK(Check(job));
}

TEST(ManifestRulesTest, PipelinesHaveStagesOfSomeLayers) {
  const auto stages = [](JobManifest* j, uint32_t count, const char* layers) {
    for (int i = 0; i < 3; ++i) j->mutable_model()->add_layers()->mutable_linear()->set_units(4);
    j->set_workers(4);
    j->set_batch_size(8);
    j->mutable_pipeline()->set_stages(count);
    j->mutable_pipeline()->set_layers(layers);
  };
  JobManifest good = GoodJob();
  stages(&good, 2, "auto");
  SYNCLINE_EXPECT_OK(Check(good));
  ExpectErrors({
      {"workers: 4 is not a multiple of pipeline.stages, which is 3",
       [&](JobManifest* j) { stages(j, 3, "auto"); }},
      {"pipeline.layers: \"0-1\" places layers 0 to 1 on 1 stages: the model has layers 0 to",
       [&](JobManifest* j) { stages(j, 2, "0-1"); }},
      {"pipeline.stages: the model has 4 layers with weights, too few for 256 stages",
       [&](JobManifest* j) {
         stages(j, 256, "auto");
         j->set_workers(256);
       }},
      {"pipeline.micro_batches: 9 is above batch_size, which is 8",
       [&](JobManifest* j) {
         stages(j, 2, "auto");
         j->mutable_pipeline()->set_micro_batches(9);
       }},
      {"pipeline.stages: 2 needs local_steps 1",
       [&](JobManifest* j) {
         stages(j, 2, "auto");
         j->set_local_steps(2);
       }},
      {"pipeline.stages: 2 needs a push codec other than topk and onebit",
       [&](JobManifest* j) {
         stages(j, 2, "auto");
         j->set_push_codec(TOPK);
       }},
      {"pipeline.stages: 2 needs sync_mode sync with optimizer.clip_norm",
       [&](JobManifest* j) {
         stages(j, 2, "auto");
         j->set_sync_mode(ASYNC);
         j->mutable_optimizer()->set_clip_norm(1);
       }},
  });
}

TEST(ManifestRulesTest, TensorParallelWorkersHaveLayersToShare) {
  const auto shared = [](JobManifest* j, uint32_t size) {
    j->set_workers(4);
    j->mutable_tensor_parallel()->set_size(size);
    j->mutable_model()->mutable_layers(0)->mutable_linear()->set_units(4);
  };
  JobManifest good = GoodJob();
  shared(&good, 2);
  SYNCLINE_EXPECT_OK(Check(good));
  const auto split = [&](LayerSplit how) {
    return [how, shared](JobManifest* j) {
      shared(j, 4);
      j->mutable_model()->add_layers()->mutable_linear()->set_units(3);
      j->mutable_model()->mutable_layers(j->model().layers_size() - 1)->mutable_linear()->set_split(how);
    };
  };
  ExpectErrors({
      {"tensor_parallel.size: 65 is not in [1, 64]", [&](JobManifest* j) { shared(j, 65); }},
      {"workers: 4 is not a multiple of tensor_parallel.size, which is 3", [&](JobManifest* j) { shared(j, 3); }},
      {"workers: 4 is not a multiple of pipeline.stages times tensor_parallel.size, which is 8",
       [&](JobManifest* j) {
         shared(j, 4);
         j->mutable_pipeline()->set_stages(2);
         j->mutable_model()->add_layers()->mutable_linear()->set_units(4);
       }},
      {"tensor_parallel.size: 2 needs local_steps 1",
       [&](JobManifest* j) {
         shared(j, 2);
         j->set_local_steps(2);
       }},
      {"tensor_parallel.size: 4 workers have no layer to share",
       [&](JobManifest* j) {
         shared(j, 4);
         for (Layer& layer : *j->mutable_model()->mutable_layers()) {
           if (layer.has_linear()) layer.mutable_linear()->set_split(SPLIT_NONE);
         }
       }},
      {"model.layers[1].linear.split: columns needs at least tensor_parallel.size of them, which is 4: the layer has 3",
       split(SPLIT_COLUMNS)},
      {"model.layers[1].linear.split: heads is for attention", split(SPLIT_HEADS)},
      {"aggregation: allreduce needs tensor_parallel.size 1",
       [&](JobManifest* j) {
         shared(j, 2);
         j->set_aggregation(AGGREGATION_ALLREDUCE);
       }},
  });
}

TEST(ManifestRulesTest, AllReduceIsOfAllWorkersInStep) {
  const auto allreduce = [](JobManifest* j) { j->set_aggregation(AGGREGATION_ALLREDUCE); };
  JobManifest good = GoodJob();
  allreduce(&good);
  SYNCLINE_EXPECT_OK(Check(good));
  ExpectErrors({
      {"aggregation: allreduce needs sync_mode sync: otherwise no step has a sum",
       [&](JobManifest* j) {
         allreduce(j);
         j->set_sync_mode(BOUNDED);
       }},
      {"aggregation: allreduce needs backup_workers 0",
       [&](JobManifest* j) {
         allreduce(j);
         j->set_backup_workers(1);
       }},
      {"aggregation: allreduce needs a push codec other than topk",
       [&](JobManifest* j) {
         allreduce(j);
         j->set_push_codec(ONEBIT);
       }},
      {"aggregation: hierarchical needs local_aggregation false",
       [](JobManifest* j) {
         j->set_aggregation(AGGREGATION_HIERARCHICAL);
         j->set_local_aggregation(true);
       }},
  });
}

}  // namespace
}  // namespace syncline
