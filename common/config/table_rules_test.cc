#include "common/config/table_rules.h"

#include <functional>
#include <string>
#include <vector>

#include "common/config/manifest_defaults.h"
#include "common/status/status_matchers.h"
#include "google/protobuf/text_format.h"

namespace syncline {
namespace {

using ::testing::HasSubstr;

constexpr char kJob[] = R"(
    tables { name: "weights" dim: 1 }
    tables { name: "rows" dim: 4 }
    data { format: CRITEO }
    model {
      sparse { table: "weights" pooling: POOLING_SUM }
      sparse { table: "rows" fields: "0-2" }
      layers { parallel {
        branches { of: "dense" layers { linear { units: 4 } } }
        branches { of: "rows" }
        branches { of: "weights" layers { sum {} } }
      } }
      layers { linear { units: 1 } }
    })";

JobManifest GoodJob() {
  JobManifest job;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kJob, &job));
  return job;
}

absl::Status Check(JobManifest job) {
  FillManifestDefaults(&job);
  FieldLog log("job");
  CheckTables(job, &log);
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
    EXPECT_THAT(Check(job),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(std::string("job: ") + c.error)));
  }
}

Parallel* Branches(JobManifest* job) { return job->mutable_model()->mutable_layers(0)->mutable_parallel(); }

TEST(TableRulesTest, AcceptsAGoodJob) { SYNCLINE_EXPECT_OK(Check(GoodJob())); }

TEST(TableRulesTest, ChecksTables) {
  ExpectErrors({
      {"tables[0].name: \"A b\" is not 1 to 63", [](JobManifest* j) { j->mutable_tables(0)->set_name("A b"); }},
      {"tables[1].name: there is a table weights already",
       [](JobManifest* j) { j->mutable_tables(1)->set_name("weights"); }},
      {"tables[1].dim: missing or 0", [](JobManifest* j) { j->mutable_tables(1)->clear_dim(); }},
      {"tables[1].optimizer.weight_decay: must be 0 with exact",
       [](JobManifest* j) {
         j->mutable_tables(1)->mutable_optimizer()->set_exact(true);
         j->mutable_tables(1)->mutable_optimizer()->set_weight_decay(0.1);
       }},
      {"tables[1].initializer: uniform from 1 to 0.25 is empty",
       [](JobManifest* j) { j->mutable_tables(1)->mutable_initializer()->set_a(1); }},
      {"tables[0].initializer: a and b are for uniform and normal",
       [](JobManifest* j) { j->mutable_tables(0)->mutable_initializer()->set_b(1); }},
      {"tables[0].initializer.b: -1 is not above 0",
       [](JobManifest* j) {
         j->mutable_tables(0)->mutable_initializer()->set_kind(ROW_INITIALIZER_NORMAL);
         j->mutable_tables(0)->mutable_initializer()->set_b(-1);
       }},
  });
}

TEST(TableRulesTest, ChecksWhatTheModelTakes) {
  ExpectErrors({
      {"model.sparse[0].table: \"what\" is not the name of one of `tables`",
       [](JobManifest* j) { j->mutable_model()->mutable_sparse(0)->set_table("what"); }},
      {"model.sparse[1].dim: 5 is not that of the table, 4",
       [](JobManifest* j) { j->mutable_model()->mutable_sparse(1)->set_dim(5); }},
      {"model.sparse[1].name: there is a \"weights\" already",
       [](JobManifest* j) { j->mutable_model()->mutable_sparse(1)->set_name("weights"); }},
      {"model.sparse[1].name: dense are the features",
       [](JobManifest* j) { j->mutable_model()->mutable_sparse(1)->set_name("dense"); }},
      {"model.sparse[1].fields: there is no field 26",
       [](JobManifest* j) { j->mutable_model()->mutable_sparse(1)->set_fields("20-26"); }},
      {"model.sparse[0]: needs data with categorical fields",
       [](JobManifest* j) { j->mutable_data()->set_format(LIBSVM); }},
  });
}

TEST(TableRulesTest, ChecksLayersOfVectors) {
  ExpectErrors({
      {"model.layers[0].parallel.branches[1].of: \"what\" is not one of dense, weights, rows",
       [](JobManifest* j) { Branches(j)->mutable_branches(1)->set_of("dense, what"); }},
      {"model.layers[0].parallel.branches[1].layers[0].factorization.dim: 5 does not divide 12",
       [](JobManifest* j) { Branches(j)->mutable_branches(1)->add_layers()->mutable_factorization()->set_dim(5); }},
      {"model.layers[1].interaction.dim: missing or 0",
       [](JobManifest* j) { j->mutable_model()->mutable_layers(1)->mutable_interaction(); }},
      {"model.layers[1].sum.dim: 2 does not divide 17",
       [](JobManifest* j) { j->mutable_model()->mutable_layers(1)->mutable_sum()->set_dim(2); }},
      {"model.layers[1].parallel: is not the model's first layer",
       [](JobManifest* j) { j->mutable_model()->mutable_layers(1)->mutable_parallel(); }},
  });
}

TEST(TableRulesTest, ChecksCodecsOfRows) {
  const auto own = [](JobManifest* j, Codec push) {
    TensorCodec* const codec = j->add_tensor_codecs();
    codec->set_tensor("weights");
    codec->set_push(push);
  };
  JobManifest job = GoodJob();
  job.set_push_codec(TOPK);
  own(&job, INT8);
  SYNCLINE_EXPECT_OK(Check(job));
  ExpectErrors({{"tensor_codecs[0].push: weights is a table, whose rows go as none, fp16, bf16 or int8",
                 [&](JobManifest* j) { own(j, TOPK); }}});
}

TEST(TableRulesTest, ChecksCaches) {
  using Change = std::function<void(JobManifest*)>;
  const auto cached = [](SyncMode mode, const Change& change = [](JobManifest*) {}) -> Change {
    return [mode, change](JobManifest* j) {
      j->set_sync_mode(mode);
      j->set_staleness(2);
      j->mutable_tables(1)->mutable_cache()->set_rows(1000);
      change(j);
    };
  };
  for (const SyncMode mode : {BOUNDED, ASYNC}) {
    JobManifest job = GoodJob();
    cached(mode)(&job);
    SYNCLINE_EXPECT_OK(Check(job));
    FillManifestDefaults(&job);
    EXPECT_EQ(job.tables(1).cache().max_age_steps(), mode == BOUNDED ? 3u : 16u);
    EXPECT_FALSE(job.tables(0).cache().has_max_age_steps());
  }
  ExpectErrors({
      {"tables[1].cache: needs sync_mode bounded or async", cached(SYNC)},
      {"tables[1].cache.max_age_steps: 4 is above staleness + 1, 3",
       cached(BOUNDED, [](JobManifest* j) { j->mutable_tables(1)->mutable_cache()->set_max_age_steps(4); })},
      {"tables[1].cache: needs rows as they are, which push_codec and pull_codec change",
       cached(ASYNC, [](JobManifest* j) { j->set_pull_codec(FP16); })},
      {"tables[1].cache: needs storage fp32",
       cached(ASYNC, [](JobManifest* j) { j->mutable_tables(1)->set_storage(ROW_STORAGE_FP16); })},
      {"tables[1].cache: needs another optimizer than adam",
       cached(ASYNC, [](JobManifest* j) { j->mutable_tables(1)->mutable_optimizer()->set_kind(ROW_OPTIMIZER_ADAM); })},
      {"tables[1].cache: needs admission of every key",
       cached(ASYNC, [](JobManifest* j) { j->mutable_tables(1)->mutable_admission()->set_min_count(2); })},
      {"tables[1].cache: needs optimizer.schedule constant",
       cached(ASYNC, [](JobManifest* j) { j->mutable_optimizer()->mutable_schedule()->set_warmup_steps(5); })},
      {"tables[1].cache: needs staleness_scaled_lr false",
       cached(ASYNC, [](JobManifest* j) { j->set_staleness_scaled_lr(true); })},
  });
}

TEST(TableRulesTest, ChecksWhatRowsDoNotGoWith) {
  ExpectErrors({
      {"tables: need aggregation ps", [](JobManifest* j) { j->set_aggregation(AGGREGATION_ALLREDUCE); }},
      {"tables: need aggregation ps", [](JobManifest* j) { j->set_aggregation(AGGREGATION_HIERARCHICAL); }},
      {"tables: need local_steps 1", [](JobManifest* j) { j->set_local_steps(2); }},
      {"tables: need local_aggregation false", [](JobManifest* j) { j->set_local_aggregation(true); }},
      {"tables: need pipeline.stages 1", [](JobManifest* j) { j->mutable_pipeline()->set_stages(2); }},
      {"tables: need pipeline.micro_batches 1", [](JobManifest* j) { j->mutable_pipeline()->set_micro_batches(2); }},
  });
}

TEST(TableRulesTest, FillsInWhatFollows) {
  JobManifest job = GoodJob();
  FillManifestDefaults(&job);
  EXPECT_EQ(job.model().input(), 13u);
  EXPECT_EQ(job.model().sparse(0).fields(), "0-25");
  EXPECT_EQ(job.model().sparse(1).dim(), 4u);
  EXPECT_EQ(job.model().sparse(1).name(), "rows");
  EXPECT_EQ(job.tables(0).initializer().kind(), ROW_INITIALIZER_ZEROS);
  EXPECT_EQ(job.tables(1).initializer().kind(), ROW_INITIALIZER_UNIFORM);
  EXPECT_EQ(job.tables(1).initializer().a(), -0.25);
  EXPECT_EQ(job.tables(1).optimizer().kind(), ROW_OPTIMIZER_ADAGRAD);
  EXPECT_EQ(job.tables(1).optimizer().epsilon(), 1e-10);
  EXPECT_EQ(job.tables(1).slots(), 256u);
  JobManifest again = job;
  FillManifestDefaults(&again);
  EXPECT_EQ(again.SerializeAsString(), job.SerializeAsString());
}

}  // namespace
}  // namespace syncline
