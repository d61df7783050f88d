#include "common/config/parallelism_rules.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/cluster/stage_layout.h"

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

// What a replica of the model on several workers does not go together with.
void CheckPipeline(const JobManifest& job, FieldLog* log) {
  const Pipeline& pipeline = job.pipeline();
  if (pipeline.micro_batches() > job.batch_size()) {
    log->AddProblem("pipeline.micro_batches",
                    absl::StrCat(pipeline.micro_batches(), " is above batch_size, which is ",
                                 job.batch_size(), ": there is no part without a sample"));
  }
  if (pipeline.micro_batches() > 1 && (job.local_steps() > 1 || job.local_aggregation())) {
    log->AddProblem("pipeline.micro_batches", "above 1 needs local_steps 1 and local_aggregation false");
  }
  if (pipeline.stages() <= 1) return;
  CheckStageLayers(job, log);
  const auto needs = [&](bool fine, const char* what) {
    if (!fine) log->AddProblem("pipeline.stages", absl::StrCat(pipeline.stages(), " needs ", what));
  };
  if (job.workers() % pipeline.stages() != 0) {
    log->AddProblem("workers", absl::StrCat(job.workers(), " is not a multiple of pipeline.stages, which is ",
                                            pipeline.stages(), ": every replica of the model takes so many"));
  }
  needs(job.local_steps() <= 1, "local_steps 1: the workers of a replica have no whole model to step with");
  needs(!job.local_aggregation(), "local_aggregation false: a host's workers have different layers");
  needs(job.backup_workers() == 0, "backup_workers 0");
  needs(job.optimizer().clip_norm() == 0 || job.sync_mode() == SYNC,
        "sync_mode sync with optimizer.clip_norm: no worker sees a whole gradient");
  needs(!HoldsBack(job), "a push codec other than topk and onebit, which leave something for a worker's next push");
}

void CheckAllReduce(const JobManifest& job, FieldLog* log) {
  if (job.aggregation() != AGGREGATION_ALLREDUCE) return;
  const auto needs = [&](bool fine, const char* what) {
    if (!fine) log->AddProblem("aggregation", absl::StrCat("allreduce needs ", what));
  };
  needs(job.sync_mode() == SYNC, "sync_mode sync: otherwise no step has a sum of all workers' gradients");
  needs(job.pipeline().stages() <= 1, "pipeline.stages 1");
  needs(job.pipeline().micro_batches() <= 1, "pipeline.micro_batches 1");
  needs(job.local_steps() <= 1, "local_steps 1");
  needs(!job.local_aggregation(), "local_aggregation false: both sum before the shards do");
  needs(job.backup_workers() == 0, "backup_workers 0: a sum has every worker's gradient");
  needs(!HoldsBack(job), "a push codec other than topk and onebit, which leave something for a worker's next push");
}

}  // namespace

void CheckParallelism(const JobManifest& job, FieldLog* log) {
  CheckPipeline(job, log);
  CheckAllReduce(job, log);
}

}  // namespace syncline
