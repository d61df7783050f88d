#include "common/config/manifest_defaults.h"

#include <cassert>

#include "absl/status/status.h"
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
  if (layer->has_linear()) {
    if (!layer->linear().has_bias()) layer->mutable_linear()->set_bias(true);
    if (!layer->linear().has_split()) layer->mutable_linear()->set_split(SPLIT_AUTO);
  }
  if (layer->has_attention() && !layer->attention().has_split()) layer->mutable_attention()->set_split(SPLIT_AUTO);
  if (layer->has_layer_norm() && !layer->layer_norm().has_epsilon()) {
    layer->mutable_layer_norm()->set_epsilon(1e-5);
  }
}

// The settings of other formats stay unset: one that is set by mistake must be told from a default.
void FillData(Data* data) {
  if (data->format() == CSV) {
    if (!data->has_label_column()) data->set_label_column(-1);
    if (!data->has_header()) data->set_header(false);
    if (!data->has_separator()) data->set_separator(",");
  }
  if (data->format() == CSV || data->format() == LIBSVM || data->format() == TEXT) {
    if (!data->has_test_fraction()) data->set_test_fraction(0);
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
}

}  // namespace syncline
