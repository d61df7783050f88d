#include "common/config/manifest_rules.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/config/data_rules.h"
#include "common/config/field_paths.h"
#include "common/config/manifest_fields.h"
#include "common/config/model_shape.h"
#include "common/config/parallelism_rules.h"
#include "common/config/scalar_field.h"
#include "common/config/table_rules.h"

namespace syncline {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr int kMaxLayers = 1000;

double NumberIn(const Message& message, const FieldDescriptor& field) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetInt32(message, &field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.GetUInt32(message, &field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return static_cast<double>(reflection.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.GetDouble(message, &field);
    default:
      return 0;
  }
}

void CheckRanges(const JobManifest& job, FieldLog* log) {
  VisitFields(
      job, "", [&](const std::string& path, const Message& message, const FieldDescriptor& field) {
        // Layers within a layer are as others.
        const std::string schema = absl::StrReplaceAll(SchemaPath(path), {{".residual.layers", ""}, {".parallel.branches.layers", ""}});
        const ManifestField* row = FindManifestField(schema);
        if (row == nullptr || row->range.Contains(NumberIn(message, field))) return;
        log->AddProblem(
            path, absl::StrCat(ScalarText(field, message), " is not ", row->range.ToString()));
      });
}

void CheckName(const std::string& name, FieldLog* log) {
  if (name.empty()) {
    return log->AddProblem("name", "missing; give the job a name, as in `name: my-job`");
  }
  bool good = name.size() <= 63;
  for (const char c : name) {
    good = good && (absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-');
  }
  if (!good) {
    log->AddProblem(
        "name", absl::StrCat("\"", absl::CHexEscape(name), "\" is not 1 to 63 of a-z, 0-9 and -"));
  }
}

void CheckDevice(const std::string& device, FieldLog* log) {
  absl::string_view index = device;
  uint32_t number;
  const bool numbered =
      absl::ConsumePrefix(&index, "cuda:") && index.size() <= 3 && absl::SimpleAtoi(index, &number);
  if (device != "auto" && device != "cpu" && device != "cuda" && !numbered) {
    log->AddProblem("device", absl::StrCat("\"", absl::CHexEscape(device),
                                           "\" is not auto, cpu, cuda or cuda:N, as in cuda:0"));
  }
}

void CheckProducts(const JobManifest& job, FieldLog* log) {
  if (!job.allow_bf16() || !job.allow_tf32()) return;
  log->AddProblem("allow_bf16",
                  "true, and so is allow_tf32: products round their inputs to one of the two; set only "
                  "one of them");
}

void CheckLayers(const google::protobuf::RepeatedPtrField<Layer>& layers, const std::string& list, FieldLog* log);

// A branch without layers passes on what it gets.
void CheckBranches(const Parallel& parallel, const std::string& list, FieldLog* log) {
  if (parallel.branches().empty()) {
    log->AddProblem(list, "missing; name at least one, as in `branches: [{of: dense, layers: [relu]}]`");
  }
  for (int i = 0; i < parallel.branches_size(); ++i) {
    const Branch& branch = parallel.branches(i);
    if (!branch.layers().empty()) CheckLayers(branch.layers(), absl::StrCat(list, "[", i, "].layers"), log);
  }
}

void CheckLayers(const google::protobuf::RepeatedPtrField<Layer>& layers, const std::string& list, FieldLog* log) {
  if (layers.empty()) {
    log->AddProblem(list, "missing; name at least one, as in `- linear: {units: 10}`");
  }
  if (layers.size() > kMaxLayers) {
    log->AddProblem(list, absl::StrCat("has ", layers.size(), " layers, over ", kMaxLayers));
  }
  for (int i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    const std::string path = absl::StrCat(list, "[", i, "]");
    if (layer.kind_case() == Layer::KIND_NOT_SET) log->AddProblem(path, "names no kind of layer");
    // A zero that no one wrote is not visited with the others.
    if (layer.has_linear() && layer.linear().units() == 0) {
      log->AddProblem(path + ".linear.units",
                      "missing or 0; say how many outputs the layer has, at least 1");
    }
    if (layer.has_embedding() && (layer.embedding().vocabulary() == 0 || layer.embedding().units() == 0)) {
      log->AddProblem(path + ".embedding", "needs vocabulary and units, as in `embedding: {vocabulary: 96, units: 128}`");
    }
    if (layer.has_attention() && layer.attention().heads() == 0) {
      log->AddProblem(path + ".attention.heads", "missing or 0; say how many, at least 1");
    }
    if (layer.has_residual()) CheckLayers(layer.residual().layers(), path + ".residual.layers", log);
    if (layer.has_parallel()) CheckBranches(layer.parallel(), path + ".parallel.branches", log);
  }
}

// Labels are one a sample, but for text, where they are one a position.
void CheckText(const JobManifest& job, FieldLog* log) {
  const bool embeds = job.model().layers_size() > 0 && job.model().layers(0).has_embedding();
  const bool text = job.data().format() == TEXT;
  if (text && !embeds) {
    log->AddProblem("data.format", "text needs a model whose first layer is an embedding");
  }
  if (embeds && !text) log->AddProblem("model.layers[0]", "an embedding needs data.format text");
}

void CheckModel(const Model& model, FieldLog* log) {
  if (!model.has_input() || (model.input() == 0 && model.sparse().empty())) {
    log->AddProblem("model.input", "missing or 0; say how many features a sample has, at least 1 without model.sparse");
  }
  CheckLayers(model.layers(), "model.layers", log);
  const uint32_t outputs = ModelOutputs(model);
  if (model.loss() == SOFTMAX_CROSS_ENTROPY && outputs == 1) {
    log->AddProblem("model.loss",
                    "softmax_cross_entropy needs an output for each class, and the last layer has "
                    "1; add units or use logistic or mean_squared_error");
  }
  if ((model.loss() == LOGISTIC || model.loss() == MEAN_SQUARED_ERROR) && outputs > 1) {
    log->AddProblem("model.loss",
                    absl::StrCat(EnumValueText(*Loss_descriptor()->FindValueByNumber(model.loss())),
                                 " needs 1 output, and the last layer has ", outputs,
                                 "; end with `- linear: {units: 1}`"));
  }
}

// A weight has no next one to which what was left out could be added.
void CheckPullCodec(Codec codec, const std::string& path, FieldLog* log) {
  if (codec != TOPK && codec != ONEBIT) return;
  log->AddProblem(path, absl::StrCat(EnumValueText(*Codec_descriptor()->FindValueByNumber(codec)),
                                     " is for gradients only; use none, fp16, bf16 or int8"));
}

void CheckCodecs(const JobManifest& job, FieldLog* log) {
  CheckPullCodec(job.pull_codec(), "pull_codec", log);
  for (int i = 0; i < job.tensor_codecs_size(); ++i) {
    const TensorCodec& own = job.tensor_codecs(i);
    const std::string path = absl::StrCat("tensor_codecs[", i, "]");
    CheckPullCodec(own.pull(), path + ".pull", log);
    if (own.tensor().empty()) {
      log->AddProblem(path + ".tensor", "missing; name the tensor, as in 0.linear.weight");
    }
  }
}

void CheckCluster(const JobManifest& job, FieldLog* log) {
  if (job.backup_workers() >= job.workers()) {
    log->AddProblem("backup_workers",
                    absl::StrCat(job.backup_workers(), " is not below workers, which is ",
                                 job.workers(), ": someone has to make the step"));
  }
  if (job.replicas() > job.shards()) {
    log->AddProblem("replicas", absl::StrCat(job.replicas(), " is above shards, which is ", job.shards(),
                                             ": a shard keeps no two copies of one piece"));
  }
  if (job.replicas() > 1 && job.backup_workers() > 0) {
    log->AddProblem("replicas",
                    absl::StrCat(job.replicas(), " needs backup_workers 0: which workers made a step is "
                                 "known to the first shard alone; take one of them out"));
  }
  if (job.chunk_bytes() % 4096 != 0) {
    log->AddProblem("chunk_bytes",
                    absl::StrCat(job.chunk_bytes(), " is not a multiple of 4096; try ",
                                 (job.chunk_bytes() / 4096 + 1) * 4096));
  }
  if (job.local_steps() > 1 && job.sync_mode() != SYNC) {
    log->AddProblem("local_steps",
                    absl::StrCat(job.local_steps(), " needs sync_mode sync, where the shards apply the "
                                 "mean of all workers' changes; take it out or set 1"));
  }
  if (job.local_aggregation() && job.local_steps() > 1) {
    log->AddProblem("local_aggregation",
                    "needs local_steps 1: with more, the processes of a host have weights of their "
                    "own, and their gradients are not of the same weights; take one of them out");
  }
  if (job.local_aggregation() && job.backup_workers() > 0) {
    log->AddProblem("local_aggregation",
                    "needs backup_workers 0: a host is one member, and leaving the slowest behind "
                    "would leave out all its processes; take one of them out");
  }
  CheckParallelism(job, log);
  if (job.checkpoint().interval_steps() > 0 && job.checkpoint().directory().empty()) {
    log->AddProblem("checkpoint.directory",
                    "missing; checkpoint.interval_steps needs a folder to write to");
  }
}

}  // namespace

void CheckManifestRules(const JobManifest& job, FieldLog* log) {
  CheckName(job.name(), log);
  CheckRanges(job, log);
  CheckModel(job.model(), log);
  CheckData(job, log);
  CheckText(job, log);
  CheckTables(job, log);
  CheckDevice(job.device(), log);
  CheckProducts(job, log);
  CheckCluster(job, log);
  CheckCodecs(job, log);
}

}  // namespace syncline
