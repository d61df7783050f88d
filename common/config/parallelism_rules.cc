#include "common/config/parallelism_rules.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/cluster/layer_split.h"
#include "common/cluster/stage_layout.h"
#include "common/cluster/team_size.h"
#include "common/config/scalar_field.h"

namespace syncline {
namespace {

bool Learns(const Layer& layer) {
  if (layer.has_residual()) {
    const auto& layers = layer.residual().layers();
    return std::any_of(layers.begin(), layers.end(), Learns);
  }
  if (layer.has_parallel()) {
    const auto& branches = layer.parallel().branches();
    return std::any_of(branches.begin(), branches.end(), [](const Branch& branch) {
      return std::any_of(branch.layers().begin(), branch.layers().end(), Learns);
    });
  }
  if (layer.has_sum()) return layer.sum().bias();
  return layer.has_linear() || layer.has_layer_norm() || layer.has_embedding() || layer.has_attention();
}

void CheckStageLayers(const JobManifest& job, FieldLog* log) {
  const Pipeline& pipeline = job.pipeline();
  const int stages = static_cast<int>(pipeline.stages());
  const Model& model = job.model();
  const auto learns = [&](int layer) { return Learns(model.layers(layer)); };
  if (pipeline.layers() == "auto") {
    std::vector<bool> needed;
    for (int i = 0; i < model.layers_size(); ++i) needed.push_back(learns(i));
    const auto stage_layers = BalanceStages(std::vector<double>(needed.size(), 1.0), needed, stages);
    if (!stage_layers.ok()) log->AddProblem("pipeline.stages", std::string(stage_layers.status().message()));
    return;
  }
  const auto stage_layers = ParseStageLayers(pipeline.layers(), stages, model.layers_size());
  if (!stage_layers.ok()) {
    return log->AddProblem("pipeline.layers", std::string(stage_layers.status().message()));
  }
  for (const LayerRange& range : *stage_layers) {
    bool any = false;
    for (int i = range.begin; i < range.end; ++i) any = any || learns(i);
    if (any) continue;
    log->AddProblem("pipeline.layers", absl::StrCat("the stage of layers ", StageLayersText({range}),
                                                    " has no weights: give it a layer that has some"));
  }
}

bool HoldsBack(const JobManifest& job) {
  bool holds_back = job.push_codec() == TOPK || job.push_codec() == ONEBIT;
  for (const TensorCodec& own : job.tensor_codecs()) {
    holds_back = holds_back || own.push() == TOPK || own.push() == ONEBIT;
  }
  return holds_back;
}

void CheckMicroBatches(const JobManifest& job, FieldLog* log) {
  const Pipeline& pipeline = job.pipeline();
  if (pipeline.micro_batches() > job.batch_size()) {
    log->AddProblem("pipeline.micro_batches",
                    absl::StrCat(pipeline.micro_batches(), " is above batch_size, which is ",
                                 job.batch_size(), ": there is no part without a sample"));
  }
  if (pipeline.micro_batches() > 1 && (job.local_steps() > 1 || job.local_aggregation())) {
    log->AddProblem("pipeline.micro_batches", "above 1 needs local_steps 1 and local_aggregation false");
  }
}

// What a replica of the model on several workers does not go together with.
void CheckReplica(const JobManifest& job, FieldLog* log) {
  const uint32_t stages = std::max(job.pipeline().stages(), 1u), parts = PartsAStage(job);
  if (stages * parts <= 1) return;
  const char* const field = stages > 1 ? "pipeline.stages" : "tensor_parallel.size";
  const auto needs = [&](bool fine, const char* what) {
    if (!fine) log->AddProblem(field, absl::StrCat(stages > 1 ? stages : parts, " needs ", what));
  };
  if (job.workers() % (stages * parts) != 0) {
    const std::string product =
        stages > 1 && parts > 1 ? absl::StrCat("pipeline.stages times tensor_parallel.size") : std::string(field);
    log->AddProblem("workers", absl::StrCat(job.workers(), " is not a multiple of ", product, ", which is ",
                                            stages * parts, ": every replica of the model takes so many"));
  }
  needs(job.local_steps() <= 1, "local_steps 1: the workers of a replica have no whole model to step with");
  needs(!job.local_aggregation(), "local_aggregation false: a host's workers have different weights");
  needs(job.backup_workers() == 0, "backup_workers 0");
  needs(job.optimizer().clip_norm() == 0 || job.sync_mode() == SYNC,
        "sync_mode sync with optimizer.clip_norm: no worker sees a whole gradient");
  needs(!HoldsBack(job), "a push codec other than topk and onebit, which leave something for a worker's next push");
}

using Layers = google::protobuf::RepeatedPtrField<Layer>;

// What layers of one list, which get `width` columns, say of how they are split. Whether any is.
bool CheckSplits(const Layers& layers, const std::string& list, int width, int parts, FieldLog* log) {
  const std::vector<LayerSplit> splits = PlanSplits(layers, width, std::max(parts, 2));
  bool any = false;
  for (int i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    const bool linear = layer.has_linear();
    const std::string path = absl::StrCat(list, "[", i, "]", linear ? ".linear" : ".attention", ".split");
    const std::string split = EnumValueText(*LayerSplit_descriptor()->FindValueByNumber(splits[i]));
    if (linear && splits[i] == SPLIT_HEADS) {
      log->AddProblem(path, "heads is for attention; use auto, columns, rows or none");
    } else if (layer.has_attention() && splits[i] != SPLIT_HEADS && splits[i] != SPLIT_NONE) {
      log->AddProblem(path, absl::StrCat(split, " is for linear layers; use auto, heads or none"));
    } else if (splits[i] != SPLIT_NONE && MostParts(layer, splits[i], width) < parts) {
      log->AddProblem(path, absl::StrCat(split, " needs at least tensor_parallel.size of them, which is ", parts,
                                         ": the layer has ", MostParts(layer, splits[i], width), "; use none"));
    }
    any = any || splits[i] != SPLIT_NONE;
    if (layer.has_residual()) {
      const std::string within = absl::StrCat(list, "[", i, "].residual.layers");
      any = CheckSplits(layer.residual().layers(), within, width, parts, log) || any;
    }
    width = WidthAfter(layer, width);
  }
  return any;
}

void CheckTensorParallel(const JobManifest& job, FieldLog* log) {
  const int parts = static_cast<int>(PartsAStage(job));
  const int width = static_cast<int>(job.model().input());
  if (CheckSplits(job.model().layers(), "model.layers", width, parts, log) || parts == 1) return;
  log->AddProblem("tensor_parallel.size",
                  absl::StrCat(parts, " workers have no layer to share: a linear layer needs as many units, and "
                               "attention as many heads, as there are workers, and none may say `split: none`"));
}

void CheckAllReduce(const JobManifest& job, FieldLog* log) {
  if (!AllReduces(job)) return;
  const char* const name = job.aggregation() == AGGREGATION_HIERARCHICAL ? "hierarchical" : "allreduce";
  const auto needs = [&](bool fine, const char* what) {
    if (!fine) log->AddProblem("aggregation", absl::StrCat(name, " needs ", what));
  };
  needs(job.sync_mode() == SYNC, "sync_mode sync: otherwise no step has a sum of all workers' gradients");
  needs(job.pipeline().stages() <= 1, "pipeline.stages 1");
  needs(PartsAStage(job) <= 1, "tensor_parallel.size 1");
  needs(job.pipeline().micro_batches() <= 1, "pipeline.micro_batches 1");
  needs(job.local_steps() <= 1, "local_steps 1");
  needs(!job.local_aggregation(), "local_aggregation false: both sum before the shards do");
  needs(job.backup_workers() == 0, "backup_workers 0: a sum has every worker's gradient");
  needs(!HoldsBack(job), "a push codec other than topk and onebit, which leave something for a worker's next push");
}

}  // namespace

void CheckParallelism(const JobManifest& job, FieldLog* log) {
  CheckMicroBatches(job, log);
  if (job.pipeline().stages() > 1) CheckStageLayers(job, log);
  CheckReplica(job, log);
  CheckTensorParallel(job, log);
  CheckAllReduce(job, log);
}

}  // namespace syncline
