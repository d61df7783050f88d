#ifndef SYNCLINE_WORKER_PIPELINE_MEMORY_LIMIT_H_
#define SYNCLINE_WORKER_PIPELINE_MEMORY_LIMIT_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proto/job.pb.h"

namespace syncline {

// What to do about memory that was refused; any other status as it is.
inline absl::Status ExplainMemory(const absl::Status& status, const JobManifest& job) {
  if (!absl::IsResourceExhausted(status) || job.memory_limit() == 0) return status;
  return absl::ResourceExhaustedError(absl::StrCat(
      "this worker's part of the model does not fit into memory_limit, which is ", job.memory_limit(), " bytes (",
      status.message(), "): split the model over more than ", job.pipeline().stages(),
      " stages (pipeline.stages), or each of its layers over more than ", job.tensor_parallel().size(),
      " workers (tensor_parallel.size), cut batches into more than ", job.pipeline().micro_batches(),
      " (pipeline.micro_batches), or set pipeline.recompute"));
}

}  // namespace syncline

#endif  // SYNCLINE_WORKER_PIPELINE_MEMORY_LIMIT_H_
