#ifndef SYNCLINE_DEPLOY_CLI_COMPARE_TABLE_H_
#define SYNCLINE_DEPLOY_CLI_COMPARE_TABLE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/coordinator.pb.h"

namespace syncline {

// A way to train one and the same job.
struct Strategy {
  std::string name;
  SyncMode mode = SYNC;
  enum Kind { kShards, kAllReduce, kHierarchical, kPipeline, kTensor } kind = kShards;
};

// Reads "ps-sync,ps-bounded,ps-async,allreduce,hierarchical,pipeline,tensor", each at most once; INVALID_ARGUMENT says
// which there are.
absl::StatusOr<std::vector<Strategy>> ParseStrategies(absl::string_view names);

// Has a job trained that way, by as many workers and with as many samples a step. ps, allreduce, hierarchical: each
// worker has the whole model.
// pipeline: with the job's stages or, if it has one only, with as many as there are workers and four micro-batches.
// tensor: its layers shared by tensor_parallel.size workers or, if that is 1, by all.
void TrainBy(const Strategy& strategy, JobManifest* job);

// How the job went by each strategy, a line each, from its last status: how well it fits, how long it took, where the
// time went, and what was sent. Pure.
std::string CompareTable(const std::vector<std::pair<std::string, ClusterStatusReply>>& runs);

}  // namespace syncline

#endif  // SYNCLINE_DEPLOY_CLI_COMPARE_TABLE_H_
