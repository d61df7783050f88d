#include "common/config/flags.h"

#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/string_view.h"
#include "common/config/field_paths.h"
#include "common/config/manifest_fields.h"
#include "proto/job.pb.h"

namespace syncline {
namespace {

const ManifestField* FieldOfFlag(absl::string_view flag) {
  for (const ManifestField& field : ManifestFields()) {
    if (flag == FlagNameOfField(field.path)) return &field;
  }
  return nullptr;
}

std::string Help(absl::string_view flag) {
  const ManifestField* field = FieldOfFlag(flag);
  return field == nullptr ? "" : field->help;
}

std::string DefaultText(absl::string_view flag) {
  const ManifestField* field = FieldOfFlag(flag);
  return field == nullptr || field->default_text == nullptr ? "" : field->default_text;
}

}  // namespace

// The text given for a field, or its default, which only --help shows.
struct FieldText {
  std::string text;
  bool given = false;
};

bool AbslParseFlag(absl::string_view text, FieldText* field, std::string*) {
  *field = {std::string(text), true};
  return true;
}

std::string AbslUnparseFlag(const FieldText& field) { return field.text; }

}  // namespace syncline

#define SYNCLINE_VALUE(name)                                                                \
  ABSL_FLAG(syncline::FieldText, name, (syncline::FieldText{syncline::DefaultText(#name)}), \
            syncline::Help(#name))

// Only a flag of type bool may stand without a value. Its updates are counted, since nothing else
// tells a default from the same value given.
#define SYNCLINE_SWITCH(name)                                                          \
  static int name##_updates = 0;                                                       \
  ABSL_FLAG(bool, name, syncline::DefaultText(#name) == "true", syncline::Help(#name)) \
      .OnUpdate([] { ++name##_updates; });                                             \
  static const int name##_updates_at_start = name##_updates

SYNCLINE_VALUE(name);
SYNCLINE_VALUE(model_input);
SYNCLINE_VALUE(model_layers);
SYNCLINE_VALUE(model_loss);
SYNCLINE_VALUE(model_sparse);
SYNCLINE_VALUE(data_format);
SYNCLINE_VALUE(data_train);
SYNCLINE_VALUE(data_train_labels);
SYNCLINE_VALUE(data_test);
SYNCLINE_VALUE(data_test_labels);
SYNCLINE_VALUE(data_mean);
SYNCLINE_VALUE(data_std);
SYNCLINE_VALUE(data_label_column);
SYNCLINE_SWITCH(data_header);
SYNCLINE_VALUE(data_separator);
SYNCLINE_VALUE(data_samples);
SYNCLINE_VALUE(data_test_fraction);
SYNCLINE_VALUE(data_columns);
SYNCLINE_VALUE(data_label_above);
SYNCLINE_VALUE(data_shuffle_buffer);
SYNCLINE_VALUE(data_scratch);
SYNCLINE_VALUE(data_entry_keys);
SYNCLINE_VALUE(batch_size);
SYNCLINE_VALUE(epochs);
SYNCLINE_VALUE(max_steps);
SYNCLINE_VALUE(seed);
SYNCLINE_VALUE(optimizer_kind);
SYNCLINE_VALUE(optimizer_learning_rate);
SYNCLINE_VALUE(optimizer_momentum);
SYNCLINE_VALUE(optimizer_beta1);
SYNCLINE_VALUE(optimizer_beta2);
SYNCLINE_VALUE(optimizer_epsilon);
SYNCLINE_VALUE(optimizer_alpha);
SYNCLINE_VALUE(optimizer_ftrl_learning_rate_power);
SYNCLINE_VALUE(optimizer_ftrl_l1);
SYNCLINE_VALUE(optimizer_ftrl_l2);
SYNCLINE_VALUE(optimizer_ftrl_beta);
SYNCLINE_VALUE(optimizer_weight_decay);
SYNCLINE_VALUE(optimizer_clip_value);
SYNCLINE_VALUE(optimizer_clip_norm);
SYNCLINE_VALUE(optimizer_schedule_kind);
SYNCLINE_VALUE(optimizer_schedule_warmup_steps);
SYNCLINE_VALUE(optimizer_schedule_step_size);
SYNCLINE_VALUE(optimizer_schedule_gamma);
SYNCLINE_VALUE(optimizer_schedule_total_steps);
SYNCLINE_VALUE(optimizer_schedule_final_ratio);
SYNCLINE_VALUE(optimizer_schedule_power);
SYNCLINE_VALUE(optimizer_initial_accumulator);
SYNCLINE_VALUE(sync_mode);
SYNCLINE_VALUE(staleness);
SYNCLINE_VALUE(backup_workers);
SYNCLINE_VALUE(on_worker_loss);
SYNCLINE_SWITCH(staleness_scaled_lr);
SYNCLINE_VALUE(on_nonfinite);
SYNCLINE_VALUE(shards);
SYNCLINE_VALUE(replicas);
SYNCLINE_VALUE(workers);
SYNCLINE_VALUE(rebalance);
SYNCLINE_VALUE(checkpoint_directory);
SYNCLINE_VALUE(checkpoint_interval_steps);
SYNCLINE_VALUE(checkpoint_keep);
SYNCLINE_VALUE(chunk_bytes);
SYNCLINE_VALUE(worker_threads);
SYNCLINE_VALUE(device);
SYNCLINE_SWITCH(allow_tf32);
SYNCLINE_SWITCH(allow_bf16);
SYNCLINE_VALUE(aggregation);
SYNCLINE_VALUE(memory_limit);
SYNCLINE_VALUE(pipeline_stages);
SYNCLINE_VALUE(pipeline_layers);
SYNCLINE_VALUE(pipeline_micro_batches);
SYNCLINE_VALUE(pipeline_schedule);
SYNCLINE_SWITCH(pipeline_recompute);
SYNCLINE_VALUE(tensor_parallel_size);
SYNCLINE_SWITCH(shared_memory);
SYNCLINE_VALUE(push_codec);
SYNCLINE_VALUE(pull_codec);
SYNCLINE_VALUE(local_steps);
SYNCLINE_VALUE(outer_learning_rate);
SYNCLINE_VALUE(outer_momentum);
SYNCLINE_VALUE(tensor_codecs);
SYNCLINE_VALUE(tables);
SYNCLINE_SWITCH(local_aggregation);

namespace syncline {
namespace {

bool SwitchGiven(absl::string_view name) {
  if (name == "data_header") return data_header_updates > data_header_updates_at_start;
  if (name == "staleness_scaled_lr")
    return staleness_scaled_lr_updates > staleness_scaled_lr_updates_at_start;
  if (name == "allow_tf32") return allow_tf32_updates > allow_tf32_updates_at_start;
  if (name == "allow_bf16") return allow_bf16_updates > allow_bf16_updates_at_start;
  if (name == "pipeline_recompute") return pipeline_recompute_updates > pipeline_recompute_updates_at_start;
  if (name == "shared_memory") return shared_memory_updates > shared_memory_updates_at_start;
  if (name == "local_aggregation")
    return local_aggregation_updates > local_aggregation_updates_at_start;
  return false;
}

}  // namespace

std::vector<FieldOverride> ManifestOverrides() {
  std::vector<FieldOverride> overrides;
  for (const std::string& path : SettableFields(*JobManifest::descriptor())) {
    const std::string name = FlagNameOfField(path);
    const absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
    if (flag == nullptr) continue;  // a test finds these
    const auto text = flag->TryGet<FieldText>();
    const bool given = text.has_value() ? text->given : SwitchGiven(name);
    if (given) overrides.push_back({path, flag->CurrentValue(), "--" + name});
  }
  return overrides;
}

}  // namespace syncline
