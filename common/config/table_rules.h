#ifndef SYNCLINE_COMMON_CONFIG_TABLE_RULES_H_
#define SYNCLINE_COMMON_CONFIG_TABLE_RULES_H_

#include "common/config/field_log.h"
#include "proto/job.pb.h"

namespace syncline {

// Reports what is wrong with a job's tables, with what the model takes of them, and with the layers that take
// vectors side by side (parallel, sum, factorization, interaction). The job has its defaults.
void CheckTables(const JobManifest& job, FieldLog* log);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_TABLE_RULES_H_
