#include "common/config/table_rules.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/cluster/team_size.h"
#include "common/codec/row_codec.h"
#include "common/codec/tensor_codecs.h"
#include "common/config/data_columns.h"
#include "common/config/model_shape.h"

namespace syncline {
namespace {

// A table's name is a part of names of files.
bool IsName(const std::string& name) {
  return !name.empty() && name.size() <= 63 && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '_';
  });
}

void CheckName(const std::string& name, const std::string& path, FieldLog* log) {
  if (IsName(name)) return;
  log->AddProblem(path, absl::StrCat("\"", absl::CHexEscape(name), "\" is not 1 to 63 of a-z, 0-9, _ and -"));
}

void CheckInitializer(const RowInitializer& initializer, const std::string& path, FieldLog* log) {
  if (initializer.kind() == ROW_INITIALIZER_UNIFORM && !(initializer.a() < initializer.b())) {
    log->AddProblem(path, absl::StrCat("uniform from ", initializer.a(), " to ", initializer.b(),
                                       " is empty; a must be below b"));
  }
  if (initializer.kind() == ROW_INITIALIZER_NORMAL && !(initializer.b() > 0)) {
    log->AddProblem(path + ".b", absl::StrCat(initializer.b(), " is not above 0, as a standard deviation must be"));
  }
  if (initializer.kind() == ROW_INITIALIZER_ZEROS && (initializer.has_a() || initializer.has_b())) {
    log->AddProblem(path, "a and b are for uniform and normal; take them out or name one of these");
  }
}

const Table* FindTable(const JobManifest& job, const std::string& name) {
  for (const Table& table : job.tables()) {
    if (table.name() == name) return &table;
  }
  return nullptr;
}

// Rows have no codecs that need error feedback: it would lie with whichever worker a row came to last.
void CheckCodecs(const JobManifest& job, FieldLog* log) {
  for (int i = 0; i < job.tensor_codecs_size(); ++i) {
    const TensorCodec& own = job.tensor_codecs(i);
    if (FindTable(job, own.tensor()) == nullptr || CodesRows(own.push())) continue;
    log->AddProblem(absl::StrCat("tensor_codecs[", i, "].push"),
                    absl::StrCat(own.tensor(), " is a table, whose rows go as none, fp16, bf16 or int8"));
  }
}

// A worker brings the rows that it keeps up to date by itself, so it must be able to do all that shards do to them.
void CheckCache(const JobManifest& job, const Table& table, const std::string& path, FieldLog* log) {
  if (table.cache().rows() == 0) return;
  const auto needs = [&](bool fine, const std::string& what) {
    if (!fine) log->AddProblem(path, absl::StrCat("needs ", what));
  };
  needs(job.sync_mode() != SYNC, "sync_mode bounded or async: in sync every step needs the newest rows");
  needs(table.storage() == ROW_STORAGE_FP32, "storage fp32");
  needs(table.optimizer().kind() != ROW_OPTIMIZER_ADAM, "another optimizer than adam, which counts updates");
  needs(table.admission().min_count() == 1 && table.admission().probability() == 1,
        "admission of every key: min_count 1 and probability 1");
  const Schedule& schedule = job.optimizer().schedule();
  needs(schedule.kind() <= CONSTANT && schedule.warmup_steps() == 0,
        "optimizer.schedule constant, without warmup_steps");
  needs(!job.staleness_scaled_lr(), "staleness_scaled_lr false");
  const TensorCodecs codecs = CodecsOfRows(job, table);
  needs(codecs.push <= CODEC_NONE && codecs.pull <= CODEC_NONE,
        absl::StrCat("rows as they are, which push_codec and pull_codec change: give the table its own in tensor_codecs, "
                     "{tensor: ", absl::CHexEscape(table.name()), ", push: none, pull: none}"));
  if (job.sync_mode() == BOUNDED && table.cache().max_age_steps() > job.staleness() + 1) {
    log->AddProblem(path + ".max_age_steps", absl::StrCat(table.cache().max_age_steps(), " is above staleness + 1, ",
                                                          job.staleness() + 1, ": it must be from 1 to that"));
  }
}

void CheckTable(const JobManifest& job, const Table& table, const std::string& path, FieldLog* log) {
  CheckName(table.name(), path + ".name", log);
  if (FindTable(job, table.name()) != &table) {
    log->AddProblem(path + ".name", absl::StrCat("there is a table ", absl::CHexEscape(table.name()), " already"));
  }
  if (table.dim() == 0) log->AddProblem(path + ".dim", "missing or 0; say how many floats a row has, at least 1");
  CheckInitializer(table.initializer(), path + ".initializer", log);
  if (table.optimizer().exact() && table.optimizer().weight_decay() > 0) {
    log->AddProblem(path + ".optimizer.weight_decay", "must be 0 with exact, or every row would change at every step");
  }
  CheckCache(job, table, path + ".cache", log);
}

void CheckSparse(const JobManifest& job, int number, FieldLog* log) {
  const SparseFeatures& sparse = job.model().sparse(number);
  const std::string path = absl::StrCat("model.sparse[", number, "]");
  const Table* const table = FindTable(job, sparse.table());
  if (table == nullptr) {
    log->AddProblem(path + ".table",
                    absl::StrCat("\"", absl::CHexEscape(sparse.table()), "\" is not the name of one of `tables`"));
  } else if (sparse.dim() != table->dim()) {
    log->AddProblem(path + ".dim", absl::StrCat(sparse.dim(), " is not that of the table, ", table->dim(),
                                                "; take it out"));
  }
  for (int i = 0; i < number; ++i) {
    if (job.model().sparse(i).name() != sparse.name()) continue;
    log->AddProblem(path + ".name", absl::StrCat("there is a \"", absl::CHexEscape(sparse.name()),
                                                 "\" already; give one of them a name of its own"));
  }
  if (sparse.name() == "dense") log->AddProblem(path + ".name", "dense are the features; take another name");
  CheckName(sparse.name(), path + ".name", log);
  const DataShape shape = ShapeOfData(job.data());
  if (shape.categories == 0) {
    log->AddProblem(path, "needs data with categorical fields: data.format criteo, or csv with data.columns");
    return;
  }
  const auto fields = ParseFields(sparse.fields(), shape.categories);
  if (!fields.ok()) log->AddProblem(path + ".fields", fields.status().message());
}

void CheckVectors(uint32_t dim, const SampleShape& shape, const std::string& path, FieldLog* log) {
  if (dim == 0) {
    log->AddProblem(path + ".dim", "missing or 0; say how wide the vectors are, at least 1");
  } else if (shape.width == 0 || shape.width % static_cast<int>(dim) != 0) {
    log->AddProblem(path + ".dim", absl::StrCat(dim, " does not divide ", shape.width,
                                                ", the width of what the layer gets"));
  }
}

// The layers of a list that get `shape`, but for branches.
void CheckLayerVectors(const Model& model, const google::protobuf::RepeatedPtrField<Layer>& layers,
                       const std::string& list, SampleShape shape, FieldLog* log) {
  for (int i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    const std::string path = absl::StrCat(list, "[", i, "]");
    if (layer.has_sum()) CheckVectors(layer.sum().dim(), shape, path + ".sum", log);
    if (layer.has_factorization()) CheckVectors(layer.factorization().dim(), shape, path + ".factorization", log);
    if (layer.has_interaction()) CheckVectors(layer.interaction().dim(), shape, path + ".interaction", log);
    if (layer.has_parallel() && &layer != &model.layers(0)) {
      log->AddProblem(path + ".parallel", "is not the model's first layer, which alone gets the parts of the input");
    }
    if (layer.has_residual()) {
      CheckLayerVectors(model, layer.residual().layers(), path + ".residual.layers", shape, log);
    }
    shape = ShapeAfter(model, layer, shape);
  }
}

void CheckBranches(const JobManifest& job, FieldLog* log) {
  const Model& model = job.model();
  if (model.layers().empty() || !model.layers(0).has_parallel()) return;
  if (job.tensor_parallel().size() > 1) {
    log->AddProblem("model.layers[0].parallel", "needs tensor_parallel.size 1: its layers are not split");
  }
  const Parallel& parallel = model.layers(0).parallel();
  for (int i = 0; i < parallel.branches_size(); ++i) {
    const Branch& branch = parallel.branches(i);
    const std::string path = absl::StrCat("model.layers[0].parallel.branches[", i, "]");
    const auto parts = BranchParts(model, branch);
    if (!parts.ok()) log->AddProblem(path + ".of", parts.status().message());
    CheckLayerVectors(model, branch.layers(), path + ".layers", ShapeBefore(model, branch), log);
  }
}

// What rows do not go together with.
void CheckTogether(const JobManifest& job, FieldLog* log) {
  if (job.tables().empty()) return;
  const auto needs = [&](bool fine, const char* what) {
    if (!fine) log->AddProblem("tables", absl::StrCat("need ", what));
  };
  needs(!AllReduces(job), "aggregation ps: rows are summed at the shards");
  needs(job.pipeline().stages() <= 1, "pipeline.stages 1");
  needs(job.tensor_parallel().size() <= 1, "tensor_parallel.size 1");
  needs(job.pipeline().micro_batches() <= 1, "pipeline.micro_batches 1");
  needs(job.local_steps() <= 1, "local_steps 1: a worker has no rows of its own to step with");
  needs(!job.local_aggregation(), "local_aggregation false");
}

}  // namespace

void CheckTables(const JobManifest& job, FieldLog* log) {
  for (int i = 0; i < job.tables_size(); ++i) {
    CheckTable(job, job.tables(i), absl::StrCat("tables[", i, "]"), log);
  }
  CheckCodecs(job, log);
  for (int i = 0; i < job.model().sparse_size(); ++i) CheckSparse(job, i, log);
  CheckLayerVectors(job.model(), job.model().layers(), "model.layers", ShapeBefore(job.model(), 0), log);
  CheckBranches(job, log);
  CheckTogether(job, log);
}

}  // namespace syncline
