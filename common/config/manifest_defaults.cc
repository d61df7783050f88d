#include "common/config/manifest_defaults.h"

#include <cassert>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/config/data_columns.h"
#include "common/config/field_paths.h"
#include "common/config/manifest_fields.h"
#include "common/config/scalar_field.h"

namespace syncline {
namespace {

double DefaultEpsilon(OptimizerKind kind) {
  switch (kind) {
    case ADAGRAD:
      return 1e-10;
    case LAMB:
      return 1e-6;
    default:
      return 1e-8;
  }
}

void FillOptimizer(Optimizer* optimizer) {
  if (!optimizer->has_momentum()) optimizer->set_momentum(optimizer->kind() == RMSPROP ? 0 : 0.9);
  if (!optimizer->has_epsilon()) optimizer->set_epsilon(DefaultEpsilon(optimizer->kind()));
}

void FillLayer(Layer* layer) {
  if (layer->has_residual()) {
    for (Layer& within : *layer->mutable_residual()->mutable_layers()) FillLayer(&within);
  }
  if (layer->has_parallel()) {
    for (Branch& branch : *layer->mutable_parallel()->mutable_branches()) {
      for (Layer& within : *branch.mutable_layers()) FillLayer(&within);
    }
  }
  if (layer->has_sum()) {
    if (!layer->sum().has_dim()) layer->mutable_sum()->set_dim(1);
    if (!layer->sum().has_bias()) layer->mutable_sum()->set_bias(true);
  }
  if (layer->has_linear()) {
    if (!layer->linear().has_bias()) layer->mutable_linear()->set_bias(true);
    if (!layer->linear().has_split()) layer->mutable_linear()->set_split(SPLIT_AUTO);
  }
  if (layer->has_attention() && !layer->attention().has_split()) layer->mutable_attention()->set_split(SPLIT_AUTO);
  if (layer->has_layer_norm() && !layer->layer_norm().has_epsilon()) {
    layer->mutable_layer_norm()->set_epsilon(1e-5);
  }
}

void FillRowInitializer(uint32_t dim, RowInitializer* initializer) {
  if (!initializer->has_kind()) {
    initializer->set_kind(dim == 1 ? ROW_INITIALIZER_ZEROS : ROW_INITIALIZER_UNIFORM);
  }
  const bool normal = initializer->kind() == ROW_INITIALIZER_NORMAL;
  if (initializer->kind() == ROW_INITIALIZER_ZEROS || dim == 0) return;
  if (!initializer->has_a()) initializer->set_a(normal ? 0 : -1.0 / dim);
  if (!initializer->has_b()) initializer->set_b(normal ? 0.01 : 1.0 / dim);
}

// As for the job's, settings of other kinds mean nothing.
void FillRowOptimizer(RowOptimizer* optimizer) {
  if (!optimizer->has_kind()) optimizer->set_kind(ROW_OPTIMIZER_ADAGRAD);
  if (!optimizer->has_learning_rate()) optimizer->set_learning_rate(0.01);
  if (!optimizer->has_epsilon()) optimizer->set_epsilon(optimizer->kind() == ROW_OPTIMIZER_ADAM ? 1e-8 : 1e-10);
  if (!optimizer->has_beta1()) optimizer->set_beta1(0.9);
  if (!optimizer->has_beta2()) optimizer->set_beta2(0.999);
  if (!optimizer->has_exact()) optimizer->set_exact(false);
  if (!optimizer->has_initial_accumulator()) optimizer->set_initial_accumulator(0);
  if (!optimizer->has_ftrl_l1()) optimizer->set_ftrl_l1(0);
  if (!optimizer->has_ftrl_l2()) optimizer->set_ftrl_l2(0);
  if (!optimizer->has_ftrl_beta()) optimizer->set_ftrl_beta(0);
  if (!optimizer->has_weight_decay()) optimizer->set_weight_decay(0);
}

void FillTable(Table* table) {
  if (!table->has_storage()) table->set_storage(ROW_STORAGE_FP32);
  if (!table->has_slots()) table->set_slots(256);
  if (!table->has_capacity()) table->set_capacity(0);
  FillRowInitializer(table->dim(), table->mutable_initializer());
  FillRowOptimizer(table->mutable_optimizer());
  RowAdmission* const admission = table->mutable_admission();
  if (!admission->has_min_count()) admission->set_min_count(1);
  if (!admission->has_probability()) admission->set_probability(1);
  RowEviction* const eviction = table->mutable_eviction();
  if (!eviction->has_max_age_steps()) eviction->set_max_age_steps(0);
  if (!eviction->has_max_age_seconds()) eviction->set_max_age_seconds(0);
  if (!eviction->has_order()) eviction->set_order(ROW_EVICTION_OLDEST);
  if (!eviction->has_min_norm()) eviction->set_min_norm(0);
}

// The settings of other formats stay unset: one that is set by mistake must be told from a default.
void FillData(Data* data) {
  if (data->format() == CSV) {
    if (!data->has_label_column() && data->columns().empty()) data->set_label_column(-1);
    if (!data->has_header()) data->set_header(false);
    if (!data->has_separator()) data->set_separator(",");
  }
  if (data->format() == CSV || data->format() == LIBSVM || data->format() == TEXT || data->format() == CRITEO) {
    if (!data->has_test_fraction()) data->set_test_fraction(0);
  }
}

// What a sample has, where the data says it.
void FillInput(JobManifest* job) {
  Model* const model = job->mutable_model();
  const DataShape shape = ShapeOfData(job->data());
  if (shape.known && !model->has_input()) model->set_input(shape.floats);
  for (SparseFeatures& sparse : *model->mutable_sparse()) {
    const bool all = !sparse.has_fields() || sparse.fields() == "all";
    if (all && shape.categories > 0) sparse.set_fields(absl::StrCat("0-", shape.categories - 1));
    if (!sparse.has_pooling()) sparse.set_pooling(POOLING_NONE);
    if (!sparse.has_name()) sparse.set_name(sparse.table());
    for (const Table& table : job->tables()) {
      if (table.name() == sparse.table() && !sparse.has_dim()) sparse.set_dim(table.dim());
    }
  }
}

void FillCaches(JobManifest* job) {
  const uint32_t age = job->sync_mode() == BOUNDED ? static_cast<uint32_t>(job->staleness()) + 1 : 16;
  for (Table& table : *job->mutable_tables()) {
    if (table.cache().rows() > 0 && !table.cache().has_max_age_steps()) table.mutable_cache()->set_max_age_steps(age);
  }
}

}  // namespace

void FillManifestDefaults(JobManifest* job) {
  for (const ManifestField& row : ManifestFields()) {
    if (row.default_text == nullptr) continue;
    const FoundField found = FindField(row.path, job);
    if (found.parent->GetReflection()->HasField(*found.parent, found.field)) continue;
    const absl::Status status =
        SetScalar(*found.field, row.default_text, /*quoted=*/false, found.parent);
    assert(status.ok());  // a test sets them all
    status.IgnoreError();
  }
  FillOptimizer(job->mutable_optimizer());
  FillData(job->mutable_data());
  for (Layer& layer : *job->mutable_model()->mutable_layers()) FillLayer(&layer);
  for (Table& table : *job->mutable_tables()) FillTable(&table);
  FillCaches(job);
  FillInput(job);
}

}  // namespace syncline
