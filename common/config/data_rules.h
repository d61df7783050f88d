#ifndef SYNCLINE_COMMON_CONFIG_DATA_RULES_H_
#define SYNCLINE_COMMON_CONFIG_DATA_RULES_H_

#include "common/config/field_log.h"
#include "proto/job.pb.h"

namespace syncline {

// Reports what is wrong with the data of a job that has its defaults: fields of other formats, what is missing,
// columns, and features that are not those of the model.
void CheckData(const JobManifest& job, FieldLog* log);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_DATA_RULES_H_
