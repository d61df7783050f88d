#include "common/config/manifest_defaults.h"

#include "gtest/gtest.h"

namespace syncline {
namespace {

JobManifest Filled(OptimizerKind kind) {
  JobManifest job;
  job.mutable_optimizer()->set_kind(kind);
  FillManifestDefaults(&job);
  return job;
}

TEST(ManifestDefaultsTest, FillsAnEmptyManifest) {
  JobManifest job;
  FillManifestDefaults(&job);
  EXPECT_EQ(job.batch_size(), 128u);
  EXPECT_EQ(job.sync_mode(), SYNC);
  EXPECT_EQ(job.on_nonfinite(), NONFINITE_REJECT);
  EXPECT_EQ(job.chunk_bytes(), 1u << 20);
  EXPECT_EQ(job.optimizer().kind(), SGD);
  EXPECT_EQ(job.optimizer().beta2(), 0.999);
  EXPECT_EQ(job.optimizer().schedule().kind(), CONSTANT);
  EXPECT_EQ(job.data().std(), 1);
  EXPECT_EQ(job.device(), "auto");
  EXPECT_FALSE(job.has_data() && job.data().has_format());
}

TEST(ManifestDefaultsTest, KeepsWhatIsSet) {
  JobManifest job;
  job.set_seed(0);
  job.mutable_optimizer()->set_momentum(0);
  FillManifestDefaults(&job);
  EXPECT_EQ(job.seed(), 0u);
  EXPECT_EQ(job.optimizer().momentum(), 0);
}

TEST(ManifestDefaultsTest, SomeDependOnTheOptimizer) {
  EXPECT_EQ(Filled(MOMENTUM).optimizer().momentum(), 0.9);
  EXPECT_EQ(Filled(RMSPROP).optimizer().momentum(), 0);
  EXPECT_EQ(Filled(ADAGRAD).optimizer().epsilon(), 1e-10);
  EXPECT_EQ(Filled(ADAM).optimizer().epsilon(), 1e-8);
  EXPECT_EQ(Filled(LAMB).optimizer().epsilon(), 1e-6);
}

TEST(ManifestDefaultsTest, SomeDependOnTheFormat) {
  JobManifest job;
  job.mutable_data()->set_format(IDX);
  FillManifestDefaults(&job);
  EXPECT_FALSE(job.data().has_label_column());
  job.mutable_data()->set_format(CSV);
  FillManifestDefaults(&job);
  EXPECT_EQ(job.data().label_column(), -1);
  EXPECT_EQ(job.data().separator(), ",");
}

TEST(ManifestDefaultsTest, FillsLayers) {
  JobManifest job;
  job.mutable_model()->add_layers()->mutable_linear()->set_units(1);
  job.mutable_model()->add_layers()->mutable_layer_norm();
  FillManifestDefaults(&job);
  EXPECT_TRUE(job.model().layers(0).linear().bias());
  EXPECT_EQ(job.model().layers(1).layer_norm().epsilon(), 1e-5);
}

}  // namespace
}  // namespace syncline
