#include "common/config/manifest_writer.h"

#include "common/config/manifest.h"
#include "common/status/status_matchers.h"

namespace syncline {
namespace {

TEST(ManifestWriterTest, WritesFieldsInOrder) {
  JobManifest job;
  job.set_name("a");
  job.mutable_model()->set_input(4);
  job.mutable_model()->add_layers()->mutable_linear()->set_units(2);
  job.mutable_model()->add_layers()->mutable_relu();
  job.set_sync_mode(BOUNDED);
  job.mutable_checkpoint();
  EXPECT_EQ(SerializeManifest(job),
            "name: \"a\"\n"
            "model:\n"
            "  input: 4\n"
            "  layers:\n"
            "    - {linear: {units: 2}}\n"
            "    - {relu: {}}\n"
            "sync_mode: bounded\n"
            "checkpoint: {}\n");
}

TEST(ManifestWriterTest, ReadsBackEqual) {
  JobManifest job;
  job.set_name("a");
  job.mutable_model()->set_input(4);
  job.mutable_model()->add_layers()->mutable_linear()->set_units(2);
  job.mutable_model()->add_layers()->mutable_dropout()->set_rate(1.0 / 3);
  Layer* const residual = job.mutable_model()->add_layers();
  residual->mutable_residual()->add_layers()->mutable_layer_norm();
  residual->mutable_residual()->add_layers()->mutable_linear()->set_units(2);
  job.mutable_data()->set_format(CSV);
  job.mutable_data()->set_train("/data/\"odd\" name\n\\\xc3\xa9.csv");
  job.mutable_data()->set_separator("\t");
  SYNCLINE_ASSERT_OK(CompleteManifest(&job));

  const std::string yaml = SerializeManifest(job);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const JobManifest back, ParseManifest(yaml, "f"));
  EXPECT_EQ(back.SerializeAsString(), job.SerializeAsString()) << yaml;
}

}  // namespace
}  // namespace syncline
