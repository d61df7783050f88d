#ifndef SYNCLINE_COMMON_CONFIG_MANIFEST_RULES_H_
#define SYNCLINE_COMMON_CONFIG_MANIFEST_RULES_H_

#include "common/config/field_log.h"
#include "proto/job.pb.h"

namespace syncline {

// Checks what a schema can't say: required fields, ranges, names, and fields that must fit
// together. `job` has its defaults. Each broken rule goes into the log under the field to change.
void CheckManifestRules(const JobManifest& job, FieldLog* log);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_MANIFEST_RULES_H_
